//! The table in `docs/telemetry.md` is what the code can export. With `WHIMBREL_WRITE_SCHEMA=1` the test writes the table instead.
#![allow(clippy::unwrap_used)]

use whimbrel_telemetry::export::{SchemaRow, schema};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/telemetry.md");
const BEGIN: &str = "<!-- schema -->\n";
const END: &str = "<!-- /schema -->";

/// Rows that differ in their names only are one.
fn line(rows: &[SchemaRow]) -> String {
    let code = |text: &&str| match *text {
        "" => String::new(),
        text => format!("`{text}`"),
    };
    let list = |names: &[&str]| names.iter().map(code).collect::<Vec<_>>().join(", ");
    let names: Vec<_> = rows.iter().map(|row| row.name).collect();
    let row = &rows[0];
    // A metric's kind, a span's place and an attribute's values share a column with the attributes of the first two.
    let values = match (row.values.as_str(), row.attributes.as_slice()) {
        ("", attributes) => list(attributes),
        (values, []) => values.to_owned(),
        (values, attributes) => format!("{values}: {}", list(attributes)),
    };
    let (name, unit) = (list(&names), code(&row.unit));
    format!("| {} | {name} | {unit} | {values} | {} |\n", row.signal, row.meaning)
}

fn differ_in_name(one: &SchemaRow, next: &SchemaRow) -> bool {
    let name = next.name;
    SchemaRow { name, ..one.clone() } == *next
}

#[test]
fn the_page_shows_the_schema() {
    let rows: String = schema().chunk_by(differ_in_name).map(line).collect();
    let table = format!("| | name | unit | values and attributes | meaning |\n|---|---|---|---|---|\n{rows}");
    let page = std::fs::read_to_string(PAGE).unwrap();
    let begin = page.find(BEGIN).expect("the page has a place for the table") + BEGIN.len();
    let end = page.find(END).unwrap();
    if std::env::var_os("WHIMBREL_WRITE_SCHEMA").is_some() {
        std::fs::write(PAGE, format!("{}{table}{}", &page[..begin], &page[end..])).unwrap();
        return;
    }
    assert_eq!(page[begin..end], table, "run this test with WHIMBREL_WRITE_SCHEMA=1");
}
