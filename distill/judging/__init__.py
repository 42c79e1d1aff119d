"""May the challenger replace the champion: scores, intervals, calibration, the gate."""
