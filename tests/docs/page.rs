//! A Markdown page: its blocks of code, code spans, links and headings.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::{self, Command};

pub struct Page {
    /// The path in the repository.
    pub name: String,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    /// What follows the opening fence.
    info: String,
    /// The line of its first line of text, counted from 1.
    pub line: usize,
    pub text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands to run.
    Run,
    /// Commands whose flags are checked.
    Check,
    /// Settings to train with.
    Settings,
    Other,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(name: &str) -> Page {
        let text =
            fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Page {
            name: name.to_owned(),
            text,
        }
    }

    /// The pages whose commands run.
    pub fn user_pages() -> Vec<Page> {
        let entries = fs::read_dir(root().join("docs")).expect("the folder docs");
        let names = entries.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a plain name")
        });
        let mut names: Vec<_> = names
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}"))
            .collect();
        names.sort();
        names.push("README.md".to_owned());
        names.iter().map(|name| Page::read(name)).collect()
    }

    pub fn all() -> Vec<Page> {
        let others = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
        let mut pages = Page::user_pages();
        pages.extend(others.map(Page::read));
        pages
    }

    pub fn folder(&self) -> PathBuf {
        root()
            .join(&self.name)
            .parent()
            .expect("a page is in a folder")
            .to_owned()
    }

    /// The lines with their numbers, and whether each is prose: not of a block, nor one of its fences.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut inside = false;
        self.text.lines().enumerate().map(move |(index, line)| {
            let fence = line.trim_start().starts_with("```");
            let prose = !inside && !fence;
            inside ^= fence;
            (index + 1, line, prose)
        })
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line, prose) in self.lines() {
            match (open.take(), line.trim_start().strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block {
                        info: info.to_owned(),
                        line: number + 1,
                        text: String::new(),
                    })
                }
                (Some(block), Some(_)) => blocks.push(block),
                (Some(mut block), None) => {
                    block.text += &format!("{line}\n");
                    open = Some(block);
                }
                (None, None) => assert!(prose),
            }
        }
        assert!(open.is_none(), "{}: a block without an end", self.name);
        blocks
    }

    /// The code spans of the prose with their lines. None of them runs over a line's end.
    pub fn code_spans(&self) -> impl Iterator<Item = (usize, &str)> {
        let prose = self.lines().filter(|&(_, _, prose)| prose);
        prose.flat_map(|(number, line, _)| {
            let name = self.name.clone();
            assert!(
                line.matches('`').count() % 2 == 0,
                "{name}:{number}: a code span without an end in its line"
            );
            line.split('`')
                .skip(1)
                .step_by(2)
                .map(move |span| (number, span))
        })
    }

    /// The targets of the links with their lines.
    pub fn links(&self) -> impl Iterator<Item = (usize, &str)> {
        let prose = self.lines().filter(|&(_, _, prose)| prose);
        prose.flat_map(|(number, line, _)| {
            let ends = line.split("](").skip(1);
            ends.map(move |rest| (number, rest.split(')').next().unwrap_or(rest)))
        })
    }

    /// The anchors of the headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self
            .lines()
            .filter(|&(_, line, prose)| prose && line.starts_with('#'));
        let anchor = |heading: &str| {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        headings.map(|(_, heading, _)| anchor(heading)).collect()
    }
}

impl Block {
    pub fn kind(&self) -> Kind {
        match self.info.as_str() {
            "sh" => Kind::Run,
            "sh no-run" | "console" | "text" => Kind::Check,
            "toml" => Kind::Settings,
            _ => Kind::Other,
        }
    }

    pub fn is_python(&self) -> bool {
        self.info == "python"
    }

    /// The lines that are not empty, without their indentation, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().map(str::trim).enumerate();
        lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(index, line)| (self.line + index, line))
    }

    /// The calls of perceptor, without the program's name.
    pub fn commands(&self) -> Vec<Command> {
        if !matches!(self.kind(), Kind::Run | Kind::Check) {
            return Vec::new();
        }
        let transcript = self.info == "text" || self.info == "console";
        let typed = self.lines().filter_map(|(number, line)| match transcript {
            true => Some((number, line.strip_prefix("$ ")?)),
            false => Some((number, line)),
        });
        typed
            .filter_map(|(number, line)| commands::parse(line, number))
            .collect()
    }
}
