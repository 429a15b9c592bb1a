//! Reading Rust sources as far as the rules need: code without comments and strings, paths, functions.

use std::fs;
use std::path::Path;

/// One source file.
pub struct File {
    /// Relative to the repository, with `/`.
    pub path: String,
    pub text: String,
    /// The text with comments and the insides of strings blanked, line by line as long as before.
    pub code: String,
}

/// Every Rust file below `folder`, sorted.
pub fn files(folder: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), folder, &mut found);
    found.sort_by(|a: &File, b: &File| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &str, found: &mut Vec<File>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, found);
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            found.push(File {
                code: blank(&text),
                path,
                text,
            });
        }
    }
}

impl File {
    /// The folder or file right below `src`, unless that is the crate's own.
    pub fn layer(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?;
        let first = inner.split('/').next()?.trim_end_matches(".rs");
        (!["lib", "main"].contains(&first)).then_some(first)
    }

    /// Layer and module within it; none for the layer's own `mod.rs`.
    pub fn module(&self) -> Option<(String, String)> {
        let mut parts = self.path.strip_prefix("src/")?.split('/');
        let layer = parts.next().filter(|part| !part.ends_with(".rs"))?;
        let module = parts.next()?.trim_end_matches(".rs");
        (module != "mod").then(|| (layer.to_owned(), module.to_owned()))
    }

    /// Whether the whole file is tests.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        self.path.starts_with("tests/") || self.path.contains("/tests/") || name == "tests" || name.ends_with("_tests")
    }

    /// The code before the tests that end the file.
    pub fn code_without_tests(&self) -> String {
        let cut = self.code.match_indices("#[cfg(").find(|(at, _)| {
            let Some((attribute, rest)) = self.code[*at..].split_once(']') else {
                return false;
            };
            let for_tests = attribute == "#[cfg(test)" || attribute.starts_with("#[cfg(all(test,");
            // An inline module; `mod tests;` names another file.
            for_tests && rest.trim_start().starts_with("mod ") && rest.find('{') < rest.find(';').or(Some(usize::MAX))
        });
        self.code[..cut.map_or(self.code.len(), |(at, _)| at)].to_owned()
    }

    /// The module path of this file below the crate.
    fn module_path(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        parts
    }

    /// Every path in `code` that starts at the crate or above the file's module, written from the crate on.
    pub fn imports(&self, code: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for (start, root) in [("crate::", false), ("super::", true)] {
            for (at, _) in code.match_indices(start) {
                let before = code[..at].chars().next_back();
                // `super::super::` is read from its first word; `$crate::` and `xcrate::` are something else.
                if before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c)) {
                    continue;
                }
                let mut base = if root { self.module_path() } else { Vec::new() };
                let mut rest = &code[at..];
                if root {
                    while let Some(shorter) = rest.strip_prefix("super::") {
                        base.pop();
                        rest = shorter;
                    }
                } else {
                    rest = &rest[start.len()..];
                }
                tree(rest, &base, &mut found);
            }
        }
        found.retain(|path| !path.is_empty());
        found
    }

    /// Line, name and number of lines of every function with a body.
    pub fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let before = self.code[..at].chars().next_back();
            let name: String = self.code[at + 3..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let body = self.code[at..]
                .find(['{', ';'])
                .filter(|end| self.code.as_bytes()[at + *end] == b'{');
            let (Some(body), false, false) = (body, name.is_empty(), before.is_some_and(char::is_alphanumeric)) else {
                continue;
            };
            let end = closing(&self.code[at + body..]);
            let line = self.code[..at].matches('\n').count() + 1;
            found.push((line, name, self.code[at..at + body + end].matches('\n').count() + 1));
        }
        found
    }
}

/// Where the bracket that opens `code` closes.
fn closing(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Reads a use tree (`a::{b, c::d}`) and adds each of its paths; tells how much it read.
fn tree(code: &str, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    let mut at = 0;
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if code[at..].starts_with('{') {
            at += 1;
            while at < code.len() && !code[at..].starts_with('}') {
                let read = tree(&code[at..], &path, found);
                at += read;
                at += code[at..].find([',', '}']).unwrap_or(code.len() - at);
                at += usize::from(code[at..].starts_with(','));
                at += code[at..].len() - code[at..].trim_start().len();
            }
            return (at + 1).min(code.len());
        }
        let word: String = code[at..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        at += word.len();
        if word.is_empty() || word == "self" {
            break;
        }
        path.push(word);
        match code[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => break,
        }
    }
    found.push(path);
    at
}

/// Blanks comments, and the insides of strings and characters, keeping every line break.
fn blank(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(&bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(bytes[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The end of the comment, string or character that starts at `at`; `at` itself when none does.
fn skip(text: &[char], at: usize) -> usize {
    let starts = |word: &str| word.chars().enumerate().all(|(n, c)| text.get(at + n) == Some(&c));
    let until = |from: usize, stop: &dyn Fn(usize) -> bool| (from..text.len()).find(|n| stop(*n)).unwrap_or(text.len());
    if starts("//") {
        return until(at, &|n| text[n] == '\n');
    }
    if starts("/*") {
        return until(at + 2, &|n| text[n] == '*' && text.get(n + 1) == Some(&'/'))
            .saturating_add(2)
            .min(text.len());
    }
    let word_before = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_');
    if text[at] == 'r' && (!word_before || text[at - 1] == 'b') {
        let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
        if text.get(at + 1 + hashes) == Some(&'"') {
            let closes = |n: usize| text[n] == '"' && (1..=hashes).all(|more| text.get(n + more) == Some(&'#'));
            return (until(at + 2 + hashes, &closes) + 1 + hashes).min(text.len());
        }
    }
    if text[at] == '"' {
        let mut n = at + 1;
        while n < text.len() && text[n] != '"' {
            n += if text[n] == '\\' { 2 } else { 1 };
        }
        return (n + 1).min(text.len());
    }
    if text[at] == '\'' && (text.get(at + 1) == Some(&'\\') || text.get(at + 2) == Some(&'\'')) {
        let first = if text.get(at + 1) == Some(&'\\') {
            at + 3
        } else {
            at + 2
        };
        return (until(first, &|n| text[n] == '\'') + 1).min(text.len());
    }
    at
}

#[test]
fn the_reader_reads() {
    let text = "use crate::domain::{id::Id, post::{self, Post}};\n// crate::api\nlet a = \"crate::cli\"; 'x'; r#\"crate::dev\"#;\nfn f<'a>() {\n  super::b::c()\n}\n#[cfg(test)]\nmod tests {\n use crate::store::X;\n}\n";
    let file = File {
        path: "src/ports/http.rs".into(),
        text: text.into(),
        code: blank(text),
    };
    let paths: Vec<String> = file
        .imports(&file.code_without_tests())
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(
        paths,
        ["domain::id::Id", "domain::post", "domain::post::Post", "ports::b::c"]
    );
    assert_eq!(file.imports(&file.code).len(), 5);
    assert_eq!(file.functions(), [(4, "f".to_owned(), 3)]);
    assert_eq!(file.module(), Some(("ports".to_owned(), "http".to_owned())));
}
