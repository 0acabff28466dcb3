//! T48, P-163, P-164, P-171: races.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{body, body_with, call, call_step, dev, done, planned, serving};

#[tokio::test]
async fn t48_a_race_has_the_winner_that_was_saved_first_in_every_call() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let winner: Value = tokio::select! {
                a = step.run("a", async || Ok(json!("a"))) => a?,
                b = step.run("b", async || Ok(json!("b"))) => b?,
            };
            let after = step.run("after", async || Ok(winner.clone())).await?;
            Ok(json!([winner, after]))
        })
    });
    assert_eq!(call(&endpoint, &body()).await.ops().len(), 2);
    for _ in 0..50 {
        let memo = [("b", done("b")), ("a", done("a"))];
        let answer = call(&endpoint, &body_with(&memo)).await;
        assert_eq!(answer.json()[0]["data"], "b");
        // The loser is dropped: it neither holds up the rest nor is reported again.
        let answer = call(&endpoint, &body_with(&memo[..1])).await;
        assert_eq!(answer.ops(), [("StepRun".into(), "after".into())]);
    }
}

#[tokio::test]
async fn p164_racing_steps_say_so_in_the_plan_and_in_the_result() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let racing = step.race();
            let winner: Value = tokio::select! {
                a = racing.run("a", async || Ok(json!("a"))) => a?,
                () = racing.sleep("nap", Duration::from_secs(5)) => json!("nap"),
            };
            Ok(winner)
        })
    });
    let planned = call(&endpoint, &body()).await.json();
    for op in planned.as_array().unwrap() {
        let opts = match op["op"].as_str() {
            Some("StepPlanned") => json!({ "type": "step.run", "parallelMode": "race" }),
            _ => json!({ "duration": "5s", "parallelMode": "race" }),
        };
        assert_eq!(op["opts"], opts);
    }
    let ran = call_step(&endpoint, "a", &body()).await.json();
    assert_eq!(
        (&ran[0]["op"], &ran[0]["opts"]),
        (&json!("StepRun"), &json!({ "parallelMode": "race" }))
    );
    assert_eq!(call(&endpoint, &body_with(&[("nap", Value::Null)])).await.json(), json!("nap"));
}

#[tokio::test]
async fn p171_after_a_race_the_run_neither_waits_for_losers_nor_runs_anything_twice() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let racing = step.race();
            let winner: Value = tokio::select! {
                a = racing.run("a", async || Ok(json!("a"))) => a?,
                b = racing.run("b", async || Ok(json!("b"))) => b?,
            };
            let after = step.run("after", async || Ok(winner)).await?;
            Ok(after)
        })
    });
    // The server calls in the middle of a race as if nothing else were under way. So a step after it is planned:
    // another call may have planned it already. It says that the server must not wait for the loser.
    let decided = body_with(&[("a", done("a"))]);
    let answer = call(&endpoint, &decided).await;
    assert_eq!(answer.ops(), planned(&["after"]));
    assert_eq!(answer.json()[0]["opts"]["parallelMode"], "race");
    let after = call_step(&endpoint, "after", &decided).await.json();
    assert_eq!(
        (&after[0]["op"], &after[0]["opts"]["parallelMode"]),
        (&json!("StepRun"), &json!("race"))
    );
    // Once the loser is saved there is nothing not to wait for.
    let over = call(&endpoint, &body_with(&[("a", done("a")), ("b", done("b"))])).await;
    assert_eq!(over.ops(), planned(&["after"]));
    assert_eq!(over.json()[0]["opts"], json!({ "type": "step.run" }));
}

#[tokio::test]
async fn a_racing_step_is_never_run_unasked() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let racing = step.race();
            let (a, b) = tokio::join!(
                racing.run("a", async || Ok(json!("a"))),
                racing.run("b", async || Ok(json!("b"))),
            );
            Ok(json!([a?, b?]))
        })
    });
    let answer = call(&endpoint, &body_with(&[("a", done("a"))])).await;
    assert_eq!(answer.ops(), planned(&["b"]), "`b` is running in another call");
}
