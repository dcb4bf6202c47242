//! Command lines as the pages show them.

/// A call of perceptor.
#[derive(Debug)]
pub struct Command {
    /// The line of the page, counted from 1.
    pub line: usize,
    /// Its arguments.
    pub words: Vec<String>,
}

/// Reads `perceptor train --data DIR   # a comment`; returns `None` if the line calls another program.
pub fn parse(text: &str, line: usize) -> Option<Command> {
    let words = words(text);
    let at = words
        .iter()
        .position(|word| word == "perceptor" || word == "target/release/perceptor")?;
    Some(Command {
        line,
        words: words[at + 1..].to_vec(),
    })
}

/// The words of a line up to a comment or a redirection; double quotes hold a word together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in line.chars().chain([' ']) {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if word == "#" || word == ">" {
                    return words;
                }
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    words
}

/// The words that name the subcommand: `train`, or `data convert`.
pub fn subcommand(words: &[String]) -> Vec<String> {
    let deep = words.first().is_some_and(|word| word == "data")
        && words.get(1).is_some_and(|word| !word.starts_with('-'));
    let names = words.iter().take(1 + usize::from(deep));
    names
        .filter(|word| !word.starts_with('-'))
        .cloned()
        .collect()
}

/// The flags among the words, without their values.
pub fn flags(words: &[String]) -> impl Iterator<Item = &str> {
    let flags = words
        .iter()
        .filter(|word| word.starts_with('-') && word.len() > 1);
    let flags = flags.filter(|word| {
        !word[1..].starts_with(|c: char| c.is_ascii_digit() || c == '-' && word.len() == 2)
    });
    flags.map(|word| word.split(['=', '[', ',']).next().unwrap_or(word))
}

/// Whether `help` lists this flag.
pub fn has_flag(help: &str, flag: &str) -> bool {
    let listed = |line: &str| {
        let words = line.split([' ', ',', '[', '=']);
        line.trim_start().starts_with('-') && words.into_iter().any(|word| word == flag)
    };
    help.lines().any(listed)
}
