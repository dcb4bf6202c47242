//! What a conversion guessed, left out or changed.

use super::labelling::Labelling;
use super::source::{Half, LabelKind, Source};
use super::survey::Survey;
use crate::data::Note;
use crate::data::idx::ElementType;

/// Returns the notes of all sets, the training set first, once they have been read. Elements are stored as `stored`, which
/// is `given` or follows from them.
pub(super) fn of_sets(
    sets: &[(Half, &dyn Source, Survey)],
    labelling: &Labelling,
    (given, stored): (Option<ElementType>, ElementType),
) -> Vec<Note> {
    let mut notes = Vec::new();
    for (half, source, survey) in sets {
        notes.extend(source.notes());
        notes.extend(survey.notes(*source, given, stored));
        if *half == Half::Train || source.shares_classes() {
            notes.extend(labelling.without_sample((*source, survey)));
        }
    }
    if let (Labelling::OneHot(classes, _), Some((_, source, _))) = (labelling, sets.first()) {
        // Columns with titles were named one by one.
        let has_titles =
            matches!(source.label_kind(), LabelKind::Values(titles) if titles[0].is_some());
        let text = format!("labels are one-hot, taken as one of {classes} classes each");
        notes.extend((!has_titles).then(|| Note::new(source.path().display(), text)));
    }
    notes
}
