//! Examples of the configuration in the guides are read as they are printed.

use notafter::config;

use super::pages;

const ACCOUNT: &str = r#"
[[account]]
name = "example"
provider = "alibaba"
credentials = { source = "default" }
"#;

/// The blocks of TOML on a page that begin with a table; others are single keys.
fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks = blocks.map(|block| block.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"));
    blocks.filter(|block| block.starts_with('[')).collect()
}

#[test]
fn every_example_of_a_guide_is_read() {
    let mut read = 0;
    for (page, text) in pages::all().iter().filter(|(page, _)| page.starts_with("docs")) {
        for block in blocks(text) {
            let whole =
                if block.contains("[[account]]") { block.clone() } else { format!("{ACCOUNT}{block}") };
            if let Err(problems) = config::parse(&whole, "example") {
                panic!("{}:\n{block}\n{problems}", page.display());
            }
            read += 1;
        }
    }
    assert!(read > 6, "{read}");
}
