//! Random schemas with valid and invalid instances. The bench `masks` looks at all of them; here it is a tenth.
#![allow(clippy::unwrap_used)]

#[path = "support/maskbench.rs"]
mod maskbench;
mod support;

use maskbench::{Verdict, cases, verdict};
use support::open;

#[test]
fn no_invalid_instance_is_accepted() {
    let Some(cases) = cases() else {
        println!("skipped: ../shared/maskbench is not beside the repository");
        return;
    };
    let vocabulary = open().vocabulary().unwrap();
    let (mut passed, mut seen) = (0, 0);
    for case in cases.iter().step_by(10) {
        let verdict = verdict(&vocabulary, case);
        assert_ne!(verdict, Verdict::InvalidAccepted, "{}", case.name);
        passed += u32::from(verdict == Verdict::Pass);
        seen += 1;
    }
    assert!(passed * 10 > seen * 6, "{passed} of {seen} pass");
}
