//! `README.zh-CN.md` stays in step with `README.md`: the same headings, commands and tables, the same pictures, and each
//! links to the other.

use std::fs;

use super::pages;

const BOTH: [&str; 2] = ["README.md", "README.zh-CN.md"];

/// What `part` finds in the one and in the other.
fn both<T>(part: impl Fn(&str) -> T) -> [T; 2] {
    BOTH.map(|file| part(&fs::read_to_string(file).unwrap()))
}

/// A comment in a line of shell, TOML or YAML is for people, so it is the one part of code that may be in their words.
fn uncommented(line: &str) -> String {
    let comment = line.find(" #").or(line.starts_with('#').then_some(0));
    line[..comment.unwrap_or(line.len())].trim().to_owned()
}

#[test]
fn headings_are_as_many_and_as_deep() {
    let [english, chinese] = both(pages::headings);
    let levels = |headings: &[(usize, String)]| headings.iter().map(|(level, _)| *level).collect::<Vec<_>>();
    assert_eq!(levels(&english), levels(&chinese), "{english:#?}\n{chinese:#?}");
    assert!(english.len() > 8);
}

#[test]
fn commands_are_the_same() {
    let [english, chinese] =
        both(|text| pages::code(text).iter().map(|line| uncommented(line)).collect::<Vec<_>>());
    for (number, (one, other)) in english.iter().zip(&chinese).enumerate() {
        assert_eq!(one, other, "line {number} of code");
    }
    assert_eq!(english.len(), chinese.len());
}

#[test]
fn tables_have_the_same_shape_and_name_the_same_things() {
    let [english, chinese] = both(pages::tables);
    assert_eq!(english, chinese);
    let [english, chinese] = both(|text| {
        let rows = text.lines().filter(|line| line.starts_with('|'));
        rows.map(|row| names(&pages::cells(row)[0])).collect::<Vec<_>>()
    });
    assert_eq!(english, chinese, "the names in the first column");
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn pictures_are_the_same_and_each_links_to_the_other() {
    let pictures = |text: &str| {
        let found =
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(path, _)| path.to_owned());
        found.filter(|path| path.starts_with("docs/images/")).collect::<Vec<_>>()
    };
    let [english, chinese] = both(pictures);
    assert_eq!(english, chinese);
    let [english, chinese] = both(str::to_owned);
    assert!(english.contains("](README.zh-CN.md)") && chinese.contains("](README.md)"));
}
