"""Faust cut to size: roles in order, one agent, timers, web pages, health, the way to an end.

Faust is used through what it offers publicly: settings, the boot strategy, hooks
(`on_first_start`, `stop`, `wait_empty`), and the `transport`, `web` and `crash_reason` of
an app. Two private methods are overridden, both in `faust_driver`, because nothing public
chooses the aiokafka consumer that reads for the agents:

* `Consumer._new_consumer_thread`, as the class of its thread is named there alone;
* `ConsumerThread._create_consumer`, as no setting of Faust's makes it read committed only.

Faust's web server carries our pages, and listens where we say, through public methods of
its driver (`start_server`, `stop_server`). A server of ours would be as short; but the
pages to come (the control page) can then use what Faust's views offer, and a worker has
one order of starting and stopping. `FaustApp.web_server`, newer and public too, starts a
server only when all else has started: `/live` must answer before that.
"""
