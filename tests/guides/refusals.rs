//! The table of `docs/renewal.md` is the list of the code; `UPDATE_EXPECT=1` writes it anew.

use std::fs;

use notafter::domain::renewal::refusal::Refusal;

const PAGE: &str = "docs/renewal.md";
const HEAD: &str = "| Reason | What is the case | Passes by itself | What you can do |\n|---|---|---|---|\n";

fn table() -> String {
    let row = |why: &Refusal| {
        let passes = if why.passes() { "yes" } else { "" };
        let cells =
            [format!("`{}`", why.code()), why.text().to_owned(), passes.to_owned(), why.advice().to_owned()];
        let cells = cells.map(|cell| format!(" {cell}").trim_end().to_owned() + " ");
        format!("|{}|\n", cells.join("|"))
    };
    Refusal::ALL.iter().map(row).collect()
}

#[test]
fn the_table_of_refusals_is_the_list_of_the_code() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(HEAD).expect("the table has its head");
    let written: String =
        rest.lines().take_while(|line| line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    let want = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(PAGE, format!("{before}{HEAD}{want}{}", &rest[written.len()..])).unwrap();
        return;
    }
    let differs = written.lines().zip(want.lines()).find(|(found, want)| found != want);
    assert!(written == want, "{PAGE} differs (UPDATE_EXPECT=1 writes it anew); first at {differs:#?}");
}
