//! The files of `src/`, and what they refer to.
//!
//! Each file is tokenized, so that comments and strings do not count. `use` lines are read as well as paths that are
//! spelled out in the code. Anything under `#[cfg(test)]` does not count: tests may import from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub const CRATE_ROOT: &str = "lib.rs";

/// A path of identifiers, as in `crate::data::Dataset`.
pub type Names = Vec<String>;

/// One file of `src/` and what it refers to.
pub struct File {
    pub path: PathBuf,
    /// Where it is in the module tree; the crate root is the empty path.
    pub module: Names,
    pub text: String,
    /// Child modules: `mod name;`.
    children: BTreeSet<String>,
    /// Absolute paths of private imports and of paths in the code.
    imports: Vec<Names>,
    /// Names that a `use` brings in, and the absolute paths they stand for.
    names: BTreeMap<String, Names>,
    /// How many functions are `pub unsafe`, which callers outside the crate would have to audit.
    pub public_unsafe_functions: usize,
    /// Names that the file re-exports for everyone.
    pub exports: Vec<String>,
    /// Names that the file re-exports, within the crate or for everyone, and the absolute paths they stand for.
    reexports: Vec<(String, Names)>,
    /// What the paths in the code begin with.
    words: BTreeSet<String>,
}

/// All files of `src/` except `main.rs`, which only starts the program, by their modules.
pub static FILES: LazyLock<BTreeMap<Names, File>> = LazyLock::new(|| {
    let files = paths(&folder()).into_iter().map(File::read);
    files.map(|file| (file.module.clone(), file)).collect()
});

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every `.rs` file below `folder` except `main.rs`, sorted.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            paths.extend(self::paths(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("src/main.rs")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

impl File {
    fn read(path: PathBuf) -> File {
        let text = fs::read_to_string(&path).expect("a readable file");
        let path = path
            .strip_prefix(folder())
            .expect("a file of src")
            .to_owned();
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let tokens = without_tests(tokens);
        let mut module: Names = path
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        let mut file = File {
            path,
            text,
            module: module.clone(),
            children: BTreeSet::new(),
            imports: Vec::new(),
            names: BTreeMap::new(),
            public_unsafe_functions: 0,
            exports: Vec::new(),
            reexports: Vec::new(),
            words: BTreeSet::new(),
        };
        file.scan(&tokens, &module);
        // The crate root has no code: in `pub mod train` and `pub use train::train` one name is two things.
        let used = file
            .reexports
            .iter()
            .filter(|(name, _)| !module.is_empty() && file.words.contains(name));
        file.imports.extend(used.map(|(_, path)| path.clone()));
        file
    }

    /// Records what `tokens` refer to; `module` is the one they are in, a module within the file included.
    fn scan(&mut self, tokens: &[TokenTree], module: &[String]) {
        // Children first: a path may begin with one that is declared further down.
        for triple in tokens.windows(3) {
            if let [TokenTree::Ident(keyword), TokenTree::Ident(name), end] = triple
                && keyword == "mod"
                && is_punct(end, ';')
            {
                self.children.insert(name.to_string());
            }
            if let [public, qualifier, function] = triple
                && is_ident(public, "pub")
                && is_ident(qualifier, "unsafe")
                && is_ident(function, "fn")
            {
                self.public_unsafe_functions += 1;
            }
        }
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                // `pub(in path)` is no import.
                TokenTree::Group(_) if at > 0 && is_ident(&tokens[at - 1], "pub") => at += 1,
                TokenTree::Group(group) => {
                    let inner = [module, &inline_module(&tokens[..at])].concat();
                    self.scan(&without_tests(group.stream()), &inner);
                    at += 1;
                }
                TokenTree::Ident(keyword) if keyword == "use" => {
                    let is_public = is_visibility(&tokens[..at]);
                    let end = tokens[at..].iter().position(|token| is_punct(token, ';'));
                    let end = end.map_or(tokens.len(), |end| at + end);
                    let paths = use_paths(&tokens[at + 1..end]);
                    if at > 0 && is_ident(&tokens[at - 1], "pub") {
                        self.exports
                            .extend(paths.iter().map(|(_, name)| name.clone()));
                    }
                    self.record_use(paths, module, is_public);
                    at = end;
                }
                // A declaration uses no name.
                TokenTree::Ident(keyword) if keyword == "mod" => at += 2,
                TokenTree::Ident(_) => {
                    let (path, length) = path_at(&tokens[at..]);
                    self.words.insert(path[0].clone());
                    if length > 1
                        && let Some(path) = self.absolute(path, module)
                    {
                        self.imports.push(path);
                    }
                    at += length;
                }
                _ => at += 1,
            }
        }
    }

    /// Records names that a `use` brings in. A re-export is an import only if the file itself uses the name.
    fn record_use(&mut self, paths: Vec<(Names, String)>, module: &[String], is_public: bool) {
        for (path, name) in paths {
            let Some(path) = self.absolute(path, module) else {
                continue;
            };
            if is_public {
                self.reexports.push((name.clone(), path.clone()));
            } else {
                self.imports.push(path.clone());
            }
            self.names.insert(name, path);
        }
    }

    /// The path from the crate root, if it leads into this crate.
    fn absolute(&self, path: Names, module: &[String]) -> Option<Names> {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let (base, rest) = match path[0].as_str() {
            "crate" | "perceptor" => (&[][..], &path[1..]),
            "self" => (module, &path[1..]),
            "super" => (&module[..module.len().checked_sub(ups)?], &path[ups..]),
            child if self.children.contains(child) => (&self.module[..], &path[..]),
            _ => return None,
        };
        Some([base, rest].concat())
    }

    /// Whether the file is part of the program: the `mod` line of a file of tests is under `#[cfg(test)]`.
    pub fn is_program(&self) -> bool {
        match self.module.split_last() {
            Some((name, parent)) if !parent.is_empty() => FILES[parent].children.contains(name),
            _ => true,
        }
    }

    /// The folder or file directly below `src/` that the file belongs to; none for the crate root.
    pub fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }
}

/// `tokens` except the items under `#[cfg(test)]` and all other attributes.
pub fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if !is_punct(&token, '#') {
            kept.push(token);
            continue;
        }
        tokens.next_if(|token| is_punct(token, '!'));
        let attribute = tokens.next().map(|group| group.to_string());
        if attribute.is_some_and(|text| text.replace(' ', "") == "[cfg(test)]") {
            // An item ends with a semicolon or with its body.
            let _ = tokens.find(|token| is_punct(token, ';') || is_braced(token));
        }
    }
    kept
}

fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == expected)
}

fn is_braced(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_ident(token: &TokenTree, expected: &str) -> bool {
    matches!(token, TokenTree::Ident(found) if found == expected)
}

/// Whether `before` ends with `pub` or `pub(…)`.
fn is_visibility(before: &[TokenTree]) -> bool {
    match before {
        [.., public, TokenTree::Group(_)] => is_ident(public, "pub"),
        [.., public] => is_ident(public, "pub"),
        [] => false,
    }
}

/// The name of the module whose body comes after `before`, if it is one.
fn inline_module(before: &[TokenTree]) -> Names {
    match before {
        [.., TokenTree::Ident(keyword), TokenTree::Ident(name)] if keyword == "mod" => {
            vec![name.to_string()]
        }
        _ => Vec::new(),
    }
}

/// The path that begins at the first token, and how many tokens it has.
fn path_at(tokens: &[TokenTree]) -> (Names, usize) {
    let mut path = Names::new();
    let mut length = 0;
    while let Some(TokenTree::Ident(name)) = tokens.get(length) {
        path.push(name.to_string());
        length += 1;
        match &tokens[length..] {
            [a, b, TokenTree::Ident(_), ..] if is_punct(a, ':') && is_punct(b, ':') => length += 2,
            _ => break,
        }
    }
    (path, length)
}

/// The paths of a `use` tree, each with the name it brings in.
fn use_paths(tree: &[TokenTree]) -> Vec<(Names, String)> {
    let (mut path, length) = path_at(tree);
    match &tree[length..] {
        // `a::{…}`
        [.., TokenTree::Group(group)] => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let branches = inner.split(|token| is_punct(token, ','));
            let branches = branches
                .filter(|branch| !branch.is_empty())
                .flat_map(use_paths);
            let with_prefix = branches.map(|(rest, name)| ([path.clone(), rest].concat(), name));
            with_prefix.collect()
        }
        // `a as b`
        [.., TokenTree::Ident(alias)] => vec![(path, alias.to_string())],
        // `a::{self}`, `a::*` and `a`
        _ => {
            path.pop_if(|last| last == "self");
            let name = path.last().cloned().unwrap_or_default();
            vec![(path, name)]
        }
    }
}

/// The module of the file that defines what `path` names: re-exports are followed.
fn definition(path: &[String]) -> Names {
    let is_module = |length: &usize| FILES.contains_key(&path[..*length]);
    let length = (0..=path.len()).rev().find(is_module).unwrap_or(0);
    let module = &FILES[&path[..length]];
    match path.get(length).and_then(|name| module.names.get(name)) {
        Some(target) if *target != path => definition(&[target, &path[length + 1..]].concat()),
        _ => module.module.clone(),
    }
}

/// Each import of one file by another: who imports, whose, and the path as it is resolved from the crate root.
pub fn imports() -> Vec<(&'static File, &'static File, String)> {
    let mut imports = Vec::new();
    for file in FILES.values().filter(|file| file.is_program()) {
        for path in &file.imports {
            let target = &FILES[&definition(path)];
            if target.module != file.module {
                imports.push((file, target, format!("crate::{}", path.join("::"))));
            }
        }
    }
    imports
}

/// The string literals of `tokens` as the source has them.
pub fn string_literals(tokens: Vec<TokenTree>) -> Vec<String> {
    let literals = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Literal(literal) => vec![literal.to_string()],
        TokenTree::Group(group) => string_literals(without_tests(group.stream())),
        _ => Vec::new(),
    });
    literals.filter(|text| text.contains('"')).collect()
}
