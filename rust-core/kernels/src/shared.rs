//! A mutable slice that the tasks of one parallel section share; each task writes its own part.

use std::marker::PhantomData;

/// See the module. Only this crate's parallel sections use it.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<'a, T> {
    pointer: *mut T,
    length: usize,
    marker: PhantomData<&'a mut [T]>,
}

// SAFETY: access goes through `slice`, whose callers promise disjoint ranges; `T: Send` lets another thread write them.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: threads that share a reference reach elements only through `slice`, in ranges that do not overlap; a thread that writes an
// element has it to itself, for which `T: Send` is enough.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<'a, T> SharedMut<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> SharedMut<'a, T> {
        SharedMut {
            pointer: slice.as_mut_ptr(),
            length: slice.len(),
            marker: PhantomData,
        }
    }

    /// The elements `first..last`.
    ///
    /// # Safety
    /// No two live slices may overlap.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "disjointness is the callers' promise")]
    pub(crate) unsafe fn slice(&self, first: usize, last: usize) -> &mut [T] {
        assert!(
            first <= last && last <= self.length,
            "range outside of the shared slice"
        );
        // SAFETY: the range was just checked, and the caller promises that it overlaps no other.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(first), last - first) }
    }
}
