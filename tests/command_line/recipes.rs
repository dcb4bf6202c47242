//! Recipes: named sets of settings.

use crate::desk::Desk;
use crate::idx_set::EasySet;

#[test]
fn the_list_has_every_recipe_with_its_accuracy() {
    let list = Desk::empty().run("train --recipe list");
    for name in ["tutorial", "quick", "accurate", "fashion", "table"] {
        assert!(list.done().stdout.contains(&format!("{name} ")), "{list:?}");
    }
    assert!(list.stdout.contains('%'), "{list:?}");
}

#[test]
fn flags_override_the_settings_of_a_recipe() {
    let desk = Desk::with(&EasySet::default());
    desk.run("train --data set --recipe quick --epochs 1 --hidden 8 --quiet --out a")
        .done();
    let recorded = desk.read_text("a/config.toml");
    for line in [
        "epochs = 1",
        "hidden = [8]",
        "activation = \"relu\"",
        "scale = \"standard-global\"",
        "schedule = \"one-cycle\"",
        "batch_size = 64",
    ] {
        assert!(recorded.lines().any(|it| it == line), "{line}: {recorded}");
    }
}

#[test]
fn an_unknown_recipe_is_refused_with_a_list_of_the_known_ones() {
    Desk::empty().refuses(
        "train --recipe slow",
        2,
        "--recipe: slow, expected tutorial, quick, accurate, fashion, table or list",
    );
}
