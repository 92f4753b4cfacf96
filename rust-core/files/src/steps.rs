//! The moments between two steps of a replacement. Tests let something happen in each of them: another program makes, fills or
//! removes the place, or the process is killed.

/// A moment in which a test may interfere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A lock file is open and not locked yet.
    Opened,
    /// A folder has its lock.
    Locked,
    /// Before the place is looked at, when the folder is complete.
    Complete,
    /// The place was found to be free or replaceable.
    Checked,
    /// The new folder and the old one changed names, or the old one was set aside.
    Exchanged,
    /// The new folder is in its place, and the old one is about to be removed.
    Placed,
    /// The old folder has the name of those that are removed.
    Decided,
    /// The old folder is gone.
    Removed,
}

#[cfg(test)]
impl Step {
    pub(crate) const ALL: [Step; 8] = [
        Step::Opened,
        Step::Locked,
        Step::Complete,
        Step::Checked,
        Step::Exchanged,
        Step::Placed,
        Step::Decided,
        Step::Removed,
    ];
}

#[cfg(not(test))]
pub(crate) fn at(_step: Step) {}

#[cfg(test)]
pub(crate) use self::hook::{at, with};

#[cfg(test)]
mod hook {
    use std::cell::RefCell;

    use super::Step;

    type Hook = Box<dyn FnMut(Step)>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    pub(crate) fn at(step: Step) {
        // Taken out while it runs: what it does may come here again.
        let hook = HOOK.with_borrow_mut(Option::take);
        if let Some(mut hook) = hook {
            hook(step);
            HOOK.set(Some(hook));
        }
    }

    /// Runs `body` with something that happens between its steps.
    pub(crate) fn with<T>(hook: impl FnMut(Step) + 'static, body: impl FnOnce() -> T) -> T {
        HOOK.set(Some(Box::new(hook)));
        let result = body();
        HOOK.set(None);
        result
    }
}
