//! Prints the page of the example that the tests use, or with the argument `lines` the report for a terminal. A second argument is the number
//! of days.

#[path = "../tests/example/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod example;

fn main() {
    let days = std::env::args().nth(2).and_then(|days| days.parse().ok());
    let overview = example::meter(7, days.unwrap_or(60)).overview();
    match std::env::args().nth(1).as_deref() {
        Some("lines") => println!("{}", overview.lines(80, &example::OPTIONS).join("\n")),
        _ => print!("{}", overview.page(&example::OPTIONS)),
    }
}
