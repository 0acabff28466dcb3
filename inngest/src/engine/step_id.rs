//! How steps are addressed: the SHA-1 of their id, with a suffix where an id repeats.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

use crate::lower_hex::push_hex;

/// One step of one run. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepId {
    /// What the server knows it by: lowercase hex of the SHA-1 of the id, no normalisation (P-145).
    pub(crate) hash: Arc<str>,
    /// The id that the function wrote.
    pub(crate) id: Arc<str>,
    /// Which repetition of the id this is; 0 for the first.
    pub(crate) index: u32,
}

/// Hands out step ids in the order in which a function makes its steps.
#[derive(Debug, Default)]
pub(super) struct StepIds {
    names: BTreeMap<Arc<str>, Name>,
}

/// What is known of a text that is the id of steps, or the name of one.
#[derive(Debug, Default)]
struct Name {
    /// How its next step is numbered.
    next: u32,
    /// The last step that had it for its id.
    last: Option<usize>,
    /// Which step has it for its name.
    taken: Option<usize>,
}

impl StepIds {
    /// The second `a` becomes `a:1`, the third `a:2` (P-146), over all kinds of steps. A name that the function
    /// itself has used, such as a literal `a:1`, is skipped, so that two steps never share a memo (P-147).
    ///
    /// Returns the id of the call's step `slot`, and the steps that it would not have if it had been made before them.
    pub(super) fn allocate(&mut self, id: &str, slot: usize) -> (StepId, Vec<usize>) {
        let Some((id, known)) = self.names.get_key_value(id) else {
            let id: Arc<str> = Arc::from(id);
            let name = Name { next: 1, last: Some(slot), taken: Some(slot) };
            self.names.insert(Arc::clone(&id), name);
            return (StepId { hash: hash(&id), id, index: 0 }, Vec::new());
        };
        let (id, mut index) = (Arc::clone(id), known.next);
        let mut before: Vec<usize> = known.last.into_iter().collect();
        let hash = loop {
            let unique =
                if index == 0 { Arc::clone(&id) } else { Arc::from(format!("{id}:{index}")) };
            let hash = hash(&unique);
            match &mut self.names.entry(unique).or_default().taken {
                Some(other) => before.push(*other),
                free => {
                    *free = Some(slot);
                    break hash;
                }
            }
            index += 1;
        };
        if let Some(name) = self.names.get_mut(&id) {
            (name.next, name.last) = (index + 1, Some(slot));
        }
        (StepId { hash, id, index }, before)
    }
}

fn hash(id: &str) -> Arc<str> {
    let mut text = String::with_capacity(40);
    push_hex(&mut text, &Sha1::digest(id.as_bytes()));
    text.into()
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
            assert_eq!(&*hash(id), sha1, "{id}");
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
