//! The Python dictionary in the header of an NPY file.
//!
//! The crates for NPY parse it as an arbitrary Python literal with `py_literal`, whose time doubles with every nested
//! bracket, and allocate what the header declares. This parser accepts a header as NumPy writes it, in linear time.

/// The entries of the dictionary.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    /// The element type, as `<f4`; for records, the rest of the text from their list on.
    pub descr: &'a str,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, with the entries in any order.
pub(super) fn parse(text: &str) -> Option<Entries<'_>> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = Literal(text).after('{')?;
    while rest.after('}').is_none() {
        let (key, value) = rest.string()?;
        let value = value.after(':')?;
        rest = match key {
            "descr" if value.after('[').is_some() => {
                // Records are refused whatever they contain, so the rest of the header is not needed.
                descr = Some(value.trimmed());
                fortran_order = fortran_order.or(Some(false));
                shape = shape.or(Some(Vec::new()));
                break;
            }
            "descr" => store(&mut descr, value.string()?),
            "fortran_order" => store(&mut fortran_order, value.boolean()?),
            "shape" => store(&mut shape, value.sizes()?),
            _ => return None,
        };
        rest = match rest.after(',') {
            Some(rest) => rest,
            None => rest.after('}').map(|_| rest)?,
        };
    }
    Some(Entries {
        descr: descr?,
        fortran_order: fortran_order?,
        shape: shape?,
    })
}

/// Stores a parsed value and returns the rest.
fn store<'a, T>(entry: &mut Option<T>, (value, rest): (T, Literal<'a>)) -> Literal<'a> {
    *entry = Some(value);
    rest
}

/// The rest of a Python literal. Each method parses what comes next and returns it with the new rest.
#[derive(Clone, Copy)]
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn trimmed(self) -> &'a str {
        self.0.trim_start()
    }

    /// Returns the rest after `mark`, if `mark` comes next.
    fn after(self, mark: char) -> Option<Literal<'a>> {
        self.trimmed().strip_prefix(mark).map(Literal)
    }

    fn string(self) -> Option<(&'a str, Literal<'a>)> {
        let quote = self.trimmed().chars().next();
        let quote = quote.filter(|c| "'\"".contains(*c))?;
        let (text, rest) = self.after(quote)?.0.split_once(quote)?;
        Some((text, Literal(rest)))
    }

    fn boolean(self) -> Option<(bool, Literal<'a>)> {
        let names = [("True", true), ("False", false)];
        names.into_iter().find_map(|(name, value)| {
            let rest = self.trimmed().strip_prefix(name)?;
            Some((value, Literal(rest)))
        })
    }

    fn sizes(self) -> Option<(Vec<usize>, Literal<'a>)> {
        let (inside, rest) = self.after('(')?.0.split_once(')')?;
        // Python 2 wrote long integers with an L.
        let size = |text: &str| text.trim().trim_end_matches('L').parse().ok();
        let sizes: Option<Vec<usize>> = match inside.trim() {
            "" => Some(Vec::new()),
            inside => inside
                .strip_suffix(',')
                .unwrap_or(inside)
                .split(',')
                .map(size)
                .collect(),
        };
        Some((sizes?, Literal(rest)))
    }
}
