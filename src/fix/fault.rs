//! Why a trial of proposals does not hold, and which of them are to blame.

use rustc_hash::FxHashMap;

/// Why a trial does not hold.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// The proposals that are surely to blame, by index, each with the reason.
    pub(super) culprits: FxHashMap<usize, String>,
    /// Those of which at least one is, for all of them are about what went wrong. Neither: it cannot be said which.
    pub(super) suspects: FxHashMap<usize, String>,
    /// One reason.
    pub(super) reason: String,
}

impl Fault {
    /// A fault of nobody in particular.
    pub(super) fn of_all(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::default() }
    }

    /// Both. Culprits that are known are put aside first; what is left is tried again.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.culprits.extend(other.culprits);
        self.suspects.extend(other.suspects);
        self
    }

    /// Blames `proposals`: one surely, of several at least one.
    pub(super) fn blame(&mut self, proposals: &[usize], reason: &str) {
        let blamed = if let [_] = proposals { &mut self.culprits } else { &mut self.suspects };
        for &index in proposals {
            blamed.entry(index).or_insert_with(|| reason.to_owned());
        }
        if self.reason.is_empty() {
            reason.clone_into(&mut self.reason);
        }
    }
}
