//! Replies that the server can read: it refuses one over 8 MiB in every attempt (I3).

use bytes::Bytes;

use crate::Result;
use crate::engine::{Executed, Found, Op};
use crate::json::Unsavable;

/// What a reply reports, as a list of operations: all of `found` that fits into so many bytes.
///
/// What does not is found again when the reported ones are done, and reported then. The largest ones wait, so that a pause
/// or a wait begins in time. One that fits into no reply is the failure of its step.
pub(super) fn operations(found: &[Found], most: usize) -> Result<Bytes, Box<Executed>> {
    let mut ops = Vec::with_capacity(found.len());
    for found in found {
        let op = operation(found, most);
        ops.push(op.map_err(|error| Box::new(Executed::unsendable(found, error)))?);
    }
    let sizes: Vec<_> = ops.iter().map(Vec::len).collect();
    let (fits, bytes) = fitting(&sizes, most);
    let held_back = fits.iter().filter(|fits| !**fits).count();
    if held_back > 0 {
        tracing::debug!(held_back, "the reply would be too large; some steps are reported later");
    }
    let mut list = Vec::with_capacity(bytes);
    for (op, _) in ops.iter().zip(fits).filter(|(_, fits)| *fits) {
        list.push(if list.is_empty() { b'[' } else { b',' });
        list.extend_from_slice(op);
    }
    list.push(b']');
    Ok(Bytes::from(list))
}

fn operation(found: &Found, most: usize) -> Result<Vec<u8>> {
    let op = serde_json::to_vec(&Op::found(found))?;
    let limit = most - "[]".len();
    match op.len() {
        size if size > limit => {
            let what = format_args!("what step `{}` asks for", found.step.id);
            Err(Unsavable::TooLarge { size, limit }.of_sent(what))
        }
        _ => Ok(op),
    }
}

/// Which of these fit into a list of at most `most` bytes, the smallest ones first, and how many bytes that has.
fn fitting(sizes: &[usize], most: usize) -> (Vec<bool>, usize) {
    let mut smallest_first: Vec<(usize, usize)> = sizes.iter().copied().zip(0..).collect();
    smallest_first.sort_unstable();
    let mut fits = vec![false; sizes.len()];
    // A list of n has n + 1 brackets and commas.
    let mut bytes = 1;
    for (size, place) in smallest_first {
        if bytes + size + 1 > most {
            break;
        }
        bytes += size + 1;
        if let Some(fits) = fits.get_mut(place) {
            *fits = true;
        }
    }
    (fits, bytes)
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn the_smallest_fit_first_in_so_many_bytes() {
        assert_eq!(fitting(&[4, 1, 3, 2], 100), (vec![true; 4], 15));
        assert_eq!(fitting(&[4, 1, 3, 2], 14), (vec![false, true, true, true], 10));
        assert_eq!(fitting(&[7, 7], 17), (vec![true, true], 17), "two brackets and a comma");
        assert_eq!(fitting(&[7, 7], 16), (vec![true, false], 9));
        assert_eq!(fitting(&[], 8), (vec![], 1));
    }
}
