//! Recipes: settings by name.

use crate::desk::Desk;
use crate::idx_set::EasySet;

#[test]
fn the_list_names_every_recipe_and_what_it_reached() {
    let told = Desk::empty().run("train --recipe list");
    for name in ["tutorial", "quick", "accurate", "fashion"] {
        assert!(told.done().stdout.contains(&format!("{name} ")), "{told:?}");
    }
    assert!(told.stdout.contains('%'), "{told:?}");
}

#[test]
fn a_recipe_gives_settings_and_flags_win_over_it() {
    let desk = Desk::with(&EasySet::default());
    desk.run("train --data set --recipe quick --epochs 1 --hidden 8 --quiet --out a")
        .done();
    let recorded = String::from_utf8(desk.read("a/config.toml")).expect("text");
    for line in [
        "epochs = 1",
        "hidden = [8]",
        "activation = \"relu\"",
        "scale = \"standard\"",
        "schedule = \"one-cycle\"",
        "batch_size = 64",
    ] {
        assert!(recorded.lines().any(|it| it == line), "{line}: {recorded}");
    }
}

#[test]
fn an_unknown_recipe_is_refused_with_those_there_are() {
    Desk::empty().refuses(
        "train --recipe slow",
        2,
        "--recipe: slow, expected tutorial, quick, accurate, fashion or list",
    );
}
