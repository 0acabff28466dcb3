//! How steps are addressed: the SHA-1 of their id, with a suffix where an id repeats.

use std::collections::{HashMap, HashSet};

use sha1::{Digest as _, Sha1};

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
pub(crate) struct StepIds {
    repeats: HashMap<String, u32>,
    taken: HashSet<String>,
}

impl StepIds {
    /// The second `a` becomes `a:1`, the third `a:2` (P-146), over all kinds of steps. A name that the function
    /// itself has used, such as a literal `a:1`, is skipped, so that two steps never share a memo (P-147).
    pub(crate) fn allocate(&mut self, id: &str) -> StepId {
        let next = self.repeats.entry(id.to_owned()).or_insert(0);
        loop {
            let index = *next;
            *next += 1;
            let unique = if index == 0 { id.to_owned() } else { format!("{id}:{index}") };
            let hash = hash(&unique);
            if self.taken.insert(unique) {
                return StepId { hash, id: id.to_owned(), index };
            }
        }
    }
}

fn hash(id: &str) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(40);
    // By hand: `hex::encode` takes ten times as long, which shows in calls with a thousand steps.
    for byte in Sha1::digest(id.as_bytes()) {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
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
        let mut hash_of = |id| ids.allocate(id).hash;
        assert_eq!(hash_of("a"), hash("a"));
        assert_eq!(hash_of("a:1"), hash("a:1"));
        assert_eq!(hash_of("a"), hash("a:2"));
        assert_eq!(hash_of("a"), hash("a:3"));
        assert_eq!(hash_of("a:1"), hash("a:1:1"));
    }
}
