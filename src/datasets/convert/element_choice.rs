//! Which element type is written.

use super::request::Request;
use super::source::Source;
use super::survey::Survey;
use crate::data::idx::ElementType;

/// Returns the element type that does not follow from the elements: the requested one, or that of all sources.
pub(super) fn given<'a>(
    request: &Request,
    sources: impl IntoIterator<Item = &'a dyn Source>,
) -> Option<ElementType> {
    let mut own = sources.into_iter().map(|source| source.element());
    let first = own.next().flatten();
    request
        .element
        .or(first.filter(|_| own.all(|element| element == first)))
}

/// Returns the smallest type that holds the elements of all sets; floats only round what they always round.
pub(super) fn smallest<'a>(surveys: impl Iterator<Item = &'a Survey> + Clone) -> ElementType {
    let all = |is_so: fn(&Survey) -> bool| surveys.clone().all(is_so);
    match () {
        () if all(|survey| survey.all_bytes) => ElementType::U8,
        () if all(|survey| survey.rounded.is_none()) => ElementType::F32,
        () if all(|survey| survey.all_i32) => ElementType::I32,
        () => ElementType::F64,
    }
}
