//! `whimbrel demo`: the letter leaves without what is private in it, and comes back with it.
#![allow(clippy::unwrap_used)]

mod support;

use support::Desk;

#[test]
fn the_letter_leaves_redacted_and_the_answer_is_put_back() {
    let desk = Desk::new();
    let ran = desk.run(["demo", "--json"]).succeeded();
    let object = ran.json();
    let text = |field: &str| object[field].as_str().unwrap();
    for private in [
        "Amara Okafor",
        "+44 20 7946 0958",
        "14 Harbour Street",
        "tomasz.nowak@example.org",
        "GB82 WEST 1234 5698 7654 32",
        "Nowak",
    ] {
        assert!(text("letter").contains(private));
        assert!(!text("sent").contains(private), "{private}: {}", text("sent"));
    }
    assert!(text("sent").contains("thank you for seeing me on Tuesday"));
    let kinds = object["findings"].as_array().unwrap().iter();
    let kinds: Vec<_> = kinds.map(|finding| finding["type"].as_str().unwrap()).collect();
    for kind in ["person_name", "phone", "street_address", "email", "iban"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    for back in ["Amara Okafor", "tomasz.nowak@example.org"] {
        assert!(text("answer").contains(back), "{}", text("answer"));
    }
    assert!(!text("answer").contains('⟨'));
    let receipt = &object["receipt"];
    assert!(receipt["bytes_out"].as_u64().unwrap() > 0);
    assert_eq!(receipt["outcome"], "answered");
    // For people, the same steps.
    let shown = desk.run(["demo"]).succeeded().stdout;
    assert!(shown.contains(text("sent").lines().last().unwrap()), "{shown}");
    assert!(shown.contains("The receipt that stays on this machine:"), "{shown}");
}

#[test]
fn a_letter_of_ones_own() {
    let desk = Desk::new();
    let letter = desk.write("letter.txt", "The plan for Bluebird is ready.\n");
    let letter = letter.to_str().unwrap();
    let plain = desk.run(["demo", "--json", "--file", letter]).succeeded().json();
    assert_eq!(plain["sent"], "The plan for Bluebird is ready.\n");
    assert_eq!(plain["answer"], "Thank you for your letter. It names nobody.");
    let shown = desk.run(["demo", "--file", letter]).succeeded().stdout;
    assert!(shown.contains("Nothing was recognised as private."), "{shown}");
    let hidden = desk
        .run(["demo", "--json", "--file", letter, "--word", "Bluebird"])
        .succeeded();
    let hidden = hidden.json();
    assert!(!hidden["sent"].as_str().unwrap().contains("Bluebird"), "{hidden}");
    assert_eq!(hidden["answer"], "Thank you for your letter. I have noted Bluebird.");
    assert_eq!(desk.run(["demo", "--file", "missing.txt"]).status, Some(5));
}
