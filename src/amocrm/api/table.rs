//! The pace of amoCRM's callers: one row, on which the replicas that share a database take turns.

use std::time::Duration;

use crate::db::{Db, only};

/// A turn among the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::amocrm) enum Turn {
    /// It is ours, and it comes in this time.
    In(Duration),
    /// It would come in this time, so it was not taken.
    TooFar(Duration),
}

/// Takes the next turn to call amoCRM among all who share this database, `spacing` after the one before, unless it is
/// further away than `longest`. One process on a database of its own has only its own pace to keep.
pub(in crate::amocrm) async fn next_turn(
    db: &Db,
    spacing: Duration,
    longest: Duration,
) -> anyhow::Result<Turn> {
    if !db.is_shared() {
        return Ok(Turn::In(Duration::ZERO));
    }
    let mut transaction = db.begin().await?;
    // On the database's clock: those of the replicas differ.
    let query = "SELECT next_at, (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
                 FROM amocrm_pace WHERE id = 1 FOR UPDATE";
    let (next_at, now): (i64, i64) = only(transaction.fetch(sqlx::query_as(query)).await?)?;
    let (turn, next_at) = turn(next_at, now, millis(spacing)?, millis(longest)?);
    let update = sqlx::query("UPDATE amocrm_pace SET next_at = $1 WHERE id = 1").bind(next_at);
    transaction.execute(update).await?;
    transaction.commit().await?;
    Ok(turn)
}

/// The turn at `now`, and when the one after it comes. All in milliseconds.
fn turn(next_at: i64, now: i64, spacing: i64, longest: i64) -> (Turn, i64) {
    // None is given that far ahead: the clock was set back. A second leaves room for those given before.
    let next_at = if next_at > now + longest + spacing { now + 1000 } else { next_at };
    let at = next_at.max(now);
    let wait = Duration::from_millis((at - now).unsigned_abs());
    if at - now > longest { (Turn::TooFar(wait), next_at) } else { (Turn::In(wait), at + spacing) }
}

fn millis(duration: Duration) -> anyhow::Result<i64> {
    Ok(i64::try_from(duration.as_millis())?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Turn, turn};

    const HOUR: i64 = 3_600_000;

    #[test]
    fn turns_of_all_replicas_are_spaced_evenly_and_none_is_saved_up() {
        let (mut next_at, mut now, mut turns) = (0, HOUR, Vec::new());
        for number in 0..5000_i64 {
            // Many at once, and then a rest.
            now += if number % 60 == 0 { number * 7919 % 30_000 } else { 0 };
            let (taken, next) = turn(next_at, now, 200, 10_000);
            match taken {
                Turn::In(wait) => turns.push(now + wait.as_millis() as i64),
                Turn::TooFar(_) => assert_eq!(next, next_at, "it was not taken"),
            }
            next_at = next;
        }
        assert!(turns.len() > 2000, "{}", turns.len());
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] >= 200));
    }

    #[test]
    fn a_turn_that_is_too_far_away_is_not_taken() {
        let (taken, next_at) = turn(HOUR + 10_100, HOUR, 200, 10_000);
        assert_eq!((taken, next_at), (Turn::TooFar(Duration::from_millis(10_100)), HOUR + 10_100));
        let (taken, next_at) = turn(next_at, HOUR + 100, 200, 10_000);
        assert_eq!((taken, next_at), (Turn::In(Duration::from_secs(10)), HOUR + 10_300));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_the_queue_waiting() {
        let (taken, next_at) = turn(2 * HOUR, HOUR, 200, 10_000);
        assert_eq!((taken, next_at), (Turn::In(Duration::from_secs(1)), HOUR + 1200));
    }
}
