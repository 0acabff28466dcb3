//! How steps are addressed: the SHA-1 of their id, with a suffix where an id repeats.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sha1::{Digest as _, Sha1};

use crate::lower_hex::push_hex;

/// One step of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepId {
    /// What the server knows it by: lowercase hex of the SHA-1 of the id, no normalisation (P-145).
    pub(crate) hash: String,
    /// The id that the function wrote.
    pub(crate) id: String,
    /// Which repetition of the id this is; 0 for the first.
    pub(crate) index: u32,
}

/// Hands out step ids in the order in which a function makes its steps.
#[derive(Debug, Default)]
pub(super) struct StepIds {
    repeats: HashMap<String, Repeats>,
    /// Which step has a name.
    taken: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Repeats {
    next: u32,
    last: Option<usize>,
}

impl StepIds {
    /// The second `a` becomes `a:1`, the third `a:2` (P-146), over all kinds of steps. A name that the function
    /// itself has used, such as a literal `a:1`, is skipped, so that two steps never share a memo (P-147).
    ///
    /// Returns the id of the call's step `slot`, and the steps that it would not have if it had been made before them.
    pub(super) fn allocate(&mut self, id: &str, slot: usize) -> (StepId, Vec<usize>) {
        let repeats = self.repeats.entry(id.to_owned()).or_default();
        let mut before: Vec<usize> = repeats.last.into_iter().collect();
        loop {
            let index = repeats.next;
            repeats.next += 1;
            let unique = if index == 0 { id.to_owned() } else { format!("{id}:{index}") };
            let hash = hash(&unique);
            match self.taken.entry(unique) {
                Entry::Occupied(other) => before.push(*other.get()),
                Entry::Vacant(free) => {
                    free.insert(slot);
                    repeats.last = Some(slot);
                    return (StepId { hash, id: id.to_owned(), index }, before);
                }
            }
        }
    }
}

fn hash(id: &str) -> String {
    let mut text = String::with_capacity(40);
    push_hex(&mut text, &Sha1::digest(id.as_bytes()));
    text
}

#[cfg(test)]
mod tests {
    use super::{StepIds, hash};

    #[test]
    fn hashes_match_the_vectors_of_the_spec() {
        for (id, sha1) in [
            ("a", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
            ("a:1", "de89bfaf06245091a7873290a793604612302247"),
            ("a:2", "20276a922b7f092ff864f0fedcec18a7ff3bfeab"),
            ("my-step-id:1", "f47c6228c581af870aa285200cf95ec3ac59bb6a"),
            ("ünï", "146f11febcba34ed0d0f8824d4d8a1b23c8480c7"),
            ("sleep", "c3ca5f787365eae0dea86250e27d476406956478"),
        ] {
            assert_eq!(hash(id), sha1, "{id}");
        }
    }

    #[test]
    fn repeats_count_up_and_skip_what_the_function_took_itself() {
        let mut ids = StepIds::default();
        let mut slot = 0..;
        let mut allocate = |id| {
            let (step, before) = ids.allocate(id, slot.next().unwrap());
            (step.hash, before)
        };
        assert_eq!(allocate("a"), (hash("a"), vec![]));
        assert_eq!(allocate("a:1"), (hash("a:1"), vec![]));
        assert_eq!(allocate("a"), (hash("a:2"), vec![0, 1]));
        assert_eq!(allocate("a"), (hash("a:3"), vec![2]));
        assert_eq!(allocate("a:1"), (hash("a:1:1"), vec![1]));
        assert_eq!(allocate("b"), (hash("b"), vec![]));
    }
}
