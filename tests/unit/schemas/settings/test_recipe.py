from __future__ import annotations

from schemas.settings import Recipe, Settings, masked


def test_the_recipe_is_the_operators_part_and_the_experiments_together() -> None:
    settings = Settings.model_validate(
        {"distill": {"recipe": {"layers": 2}}, "experiment": {"epochs": 7}}
    )
    recipe = settings.recipe_of("entities")
    assert (recipe.layers, recipe.epochs) == (2, 7.0)
    assert recipe.model_copy(update={"layers": 3, "epochs": 4.0}) == Recipe()
    assert "recipe" not in masked(settings)


def test_what_the_recipe_leaves_open_is_settled_by_the_kind_of_task() -> None:
    entities, categories = (Settings().recipe_of(kind) for kind in ("entities", "categories"))
    assert (entities.layers, entities.head_start) == (3, "drawn")
    assert (categories.layers, categories.head_start) == ("all", "fitted")
    assert categories.learning_rate < entities.learning_rate


def test_what_is_said_of_the_recipe_stands_for_both_kinds() -> None:
    settings = Settings.model_validate(
        {"distill": {"recipe": {"layers": 2}}, "experiment": {"learning_rate": 0.5}}
    )
    recipe = settings.recipe_of("categories")
    assert (recipe.layers, recipe.learning_rate, recipe.head_start) == (2, 0.5, "fitted")
