//! The pages of the repository, and what they are made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every page, by its path from the root of the repository.
pub(super) fn all() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    gather(Path::new("."), &mut found);
    found
}

fn gather(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            gather(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path.strip_prefix(".").unwrap_or(&path).to_owned(), text);
        }
    }
}

/// One line of a page: inside of a block of code, or not.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) code: bool,
}

/// The lines of a page, told apart; fences count as code, and so does what is indented below an empty line.
pub(super) fn lines(page: &str) -> Vec<Line<'_>> {
    let mut found: Vec<Line<'_>> = Vec::new();
    let mut fenced = false;
    let mut in_list = false;
    for text in page.lines() {
        let fence = text.trim_start().starts_with("```");
        let behind = found.last().is_none_or(|line| line.text.trim().is_empty() || (line.code && !fenced));
        in_list = (in_list && (text.starts_with("   ") || text.is_empty())) || begins_item(text);
        let indented = text.starts_with("    ") && behind && !in_list;
        found.push(Line { text, code: fenced || fence || indented });
        fenced ^= fence;
    }
    found
}

fn begins_item(text: &str) -> bool {
    let rest = text.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    text.trim_start().starts_with("- ") || (rest.starts_with(". ") && rest.len() < text.trim_start().len())
}

/// Level and words of every heading.
pub(super) fn headings(page: &str) -> Vec<(usize, String)> {
    let prose = lines(page).into_iter().filter(|line| !line.code);
    let heading = |line: Line<'_>| {
        let level = line.text.bytes().take_while(|byte| *byte == b'#').count();
        let words = line.text[level..].strip_prefix(' ')?;
        (level > 0).then(|| (level, words.trim().to_owned()))
    };
    prose.filter_map(heading).collect()
}

/// Every line of code, without the indent of the list it may stand in.
pub(super) fn code(page: &str) -> Vec<String> {
    let code = lines(page).into_iter().filter(|line| line.code && !line.text.trim().is_empty());
    code.map(|line| line.text.trim().to_owned()).collect()
}

/// Rows and columns of every table, in order.
pub(super) fn tables(page: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut rows: Vec<usize> = Vec::new();
    for line in lines(page).iter().filter(|line| !line.code).map(|line| line.text).chain([""]) {
        if line.starts_with('|') {
            rows.push(cells(line).len());
        } else if let Some(columns) = rows.first() {
            found.push((rows.len(), *columns));
            rows.clear();
        }
    }
    found
}

/// The cells of one row; `\|` is no border.
pub(super) fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').replace("\\|", "\u{1}");
    let row = row.strip_suffix('|').unwrap_or(&row);
    row.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}
