//! T38-T56: finding, planning and running steps. How they fail is in `failing_steps`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use inngest::Error;
use serde_json::{Value, json};

use crate::support::{body, body_with, call, call_step, dev, done, hash, planned, serving};

#[tokio::test]
async fn t38_repeated_ids_are_numbered_over_all_kinds_of_steps() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let first: u8 = step.run("a", async || Ok(0)).await?;
            step.sleep("a", Duration::from_secs(1)).await;
            let literal: u8 = step.run("a:1", async || Ok(1)).await?;
            let third: u8 = step.run("a", async || Ok(3)).await?;
            Ok(json!([first, literal, third]))
        })
    });
    // `a`, `a:1` (the sleep), `a:1:1` (the literal id, whose name is taken), `a:2`.
    let memo = [("a", done(10)), ("a:1", Value::Null), ("a:1:1", done(11)), ("a:2", done(12))];
    for known in 0..memo.len() {
        let answer = call(&endpoint, &body_with(&memo[..known])).await;
        assert_eq!(answer.json()[0]["id"], hash(memo[known].0));
    }
    assert_eq!(call(&endpoint, &body_with(&memo)).await.json(), json!([10, 11, 12]));
    let repeat = call(&endpoint, &body_with(&memo[..3])).await.json();
    assert_eq!(repeat[0]["userland"], json!({ "id": "a", "index": 2 }));
    assert_eq!(
        (&repeat[0]["name"], &repeat[0]["displayName"]),
        (&json!("a"), &json!("a")),
        "P-150"
    );
}

/// Each call moves its function into place, also where all steps have their results.
#[tokio::test]
async fn what_the_code_of_a_step_needs_is_not_part_of_the_function() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let room = step.run("a", async || {
                let room = [1_u8; 64 * 1024];
                tokio::task::yield_now().await;
                Ok(usize::from(room[9]) * room.len())
            });
            let size = size_of_val(&room);
            Ok(json!([size < 1024, room.await?]))
        })
    });
    let saved = call(&endpoint, &body_with(&[("a", done(65_536))])).await;
    assert_eq!(saved.json(), json!([true, 65_536]));
    assert_eq!(call(&endpoint, &body()).await.json()[0]["data"], json!(65_536));
}

#[tokio::test]
async fn t39_a_single_step_is_run_at_once_unless_the_server_wants_to_plan() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.run("charge", async || Ok(json!({ "ok": true }))).await?) })
    });
    let ran = call(&endpoint, &body()).await;
    assert_eq!((ran.no_retry(), ran.header("retry-after")), (None, None), "P-006");
    insta::assert_json_snapshot!(ran.json(), @r#"
    [
      {
        "data": {
          "ok": true
        },
        "displayName": "charge",
        "id": "5ea9c348e59fe73a4b15cb287e33e4546dcef782",
        "name": "charge",
        "op": "StepRun",
        "timing": {
          "a": 1700000000000000000,
          "b": 0
        },
        "userland": {
          "id": "charge"
        }
      }
    ]
    "#);
    let mut plan = body();
    plan["ctx"]["disable_immediate_execution"] = json!(true);
    insta::assert_json_snapshot!(call(&endpoint, &plan).await.json(), @r#"
    [
      {
        "data": null,
        "displayName": "charge",
        "id": "5ea9c348e59fe73a4b15cb287e33e4546dcef782",
        "name": "charge",
        "op": "StepPlanned",
        "opts": {
          "type": "step.run"
        },
        "userland": {
          "id": "charge"
        }
      }
    ]
    "#);
}

#[tokio::test]
async fn t40_parallel_steps_are_planned_and_then_run_one_by_one() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let endpoint = serving(dev(), move |step, _| {
        let runs = Arc::clone(&counter);
        Box::pin(async move {
            let count = async |value: u8| {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(value)
            };
            let (a, b, c) = tokio::join!(
                step.run("a", async || count(1).await),
                step.run("b", async || count(2).await),
                step.run("c", async || count(3).await),
            );
            Ok(json!([a?, b?, c?]))
        })
    });
    assert_eq!(call(&endpoint, &body()).await.ops(), planned(&["a", "b", "c"]));
    assert_eq!(runs.load(Ordering::SeqCst), 0);

    let targeted = call_step(&endpoint, "b", &body()).await;
    assert_eq!(targeted.ops(), [("StepRun".into(), "b".into())]);
    assert_eq!((&targeted.json()[0]["data"], runs.load(Ordering::SeqCst)), (&json!(2), 1));

    let again = call_step(&endpoint, "b", &body_with(&[("b", done(2))])).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (206, "[]"), "P-160");
    assert_eq!(runs.load(Ordering::SeqCst), 1);

    let all = body_with(&[("c", done(3)), ("a", done(1)), ("b", done(2))]);
    assert_eq!(call(&endpoint, &all).await.json(), json!([1, 2, 3]));
}

#[tokio::test]
async fn t41_different_kinds_are_reported_together_and_only_the_new_ones() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let (a, (), b) = tokio::join!(
                step.run("a", async || Ok::<u8, Error>(1)),
                step.sleep("nap", Duration::from_millis(1500)),
                step.run("b", async || Ok::<u8, Error>(2)),
            );
            Ok(json!([a?, b?]))
        })
    });
    let first = call(&endpoint, &body()).await;
    let ops = [("StepPlanned", "a"), ("Sleep", "nap"), ("StepPlanned", "b")];
    assert_eq!(first.ops(), ops.map(|(op, id)| (op.to_owned(), id.to_owned())));
    insta::assert_json_snapshot!(first.json()[1], @r#"
    {
      "data": null,
      "displayName": "nap",
      "id": "c2640f79b4ed481b838ce4ad75330aa3f825d4d9",
      "name": "nap",
      "op": "Sleep",
      "opts": {
        "duration": "1500ms"
      },
      "userland": {
        "id": "nap"
      }
    }
    "#);
    let second = call(&endpoint, &body_with(&[("a", done(1)), ("nap", Value::Null)])).await;
    assert_eq!(second.ops(), [("StepRun".into(), "b".into())], "the only one left is run");
}

#[tokio::test(start_paused = true)]
async fn t42_a_step_that_is_not_reached_is_reported_within_bounded_time() {
    let waits_forever = serving(dev(), |_, _| Box::pin(std::future::pending()));
    let started = tokio::time::Instant::now();
    let answer = call_step(&waits_forever, "gone", &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    assert_eq!(answer.json()["requestedStep"], hash("gone"));
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_function_that_returns_during_a_targeted_call_ends_the_run() {
    let endpoint = serving(dev(), |_, _| Box::pin(async { Ok(json!("over")) }));
    assert_eq!(call_step(&endpoint, "gone", &body()).await.json(), json!("over"), "P-161");
}

#[tokio::test]
async fn t43_code_after_the_last_step_runs_in_the_last_call_only() {
    let ends = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ends);
    let endpoint = serving(dev(), move |step, _| {
        let ends = Arc::clone(&counter);
        Box::pin(async move {
            let a: u8 = step.run("a", async || Ok(1)).await?;
            ends.fetch_add(1, Ordering::SeqCst);
            Ok(json!(a))
        })
    });
    call(&endpoint, &body()).await;
    assert_eq!(ends.load(Ordering::SeqCst), 0);
    assert_eq!(call(&endpoint, &body_with(&[("a", done(1))])).await.text, "1");
    assert_eq!(ends.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn t47_a_step_inside_a_step_ends_the_run_with_a_clear_error() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let outer = step.run("outer", async || {
                let inner = step.run("inner", async || Ok::<u8, Error>(1)).await;
                Ok(inner.unwrap_or(0))
            });
            Ok(json!(outer.await?))
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
    insta::assert_snapshot!(answer.json()["message"].as_str().unwrap(), @"step `inner` was made inside another step; a step's code cannot contain steps: move it out, after the outer step");
}

#[tokio::test]
async fn a_step_that_was_made_but_never_awaited_does_not_exist() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            drop(step.run("unused", async || Ok::<u8, Error>(1)));
            Ok(step.run("used", async || Ok(json!(1))).await?)
        })
    });
    assert_eq!(call(&endpoint, &body()).await.ops(), [("StepRun".into(), "used".into())]);
}

#[tokio::test(start_paused = true)]
async fn t56_a_foreign_timer_between_steps_is_waited_for() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let a: u8 = step.run("a", async || Ok(1)).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let b: u8 = step
                .run("b", async || {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    Ok(a + 1)
                })
                .await?;
            Ok(json!(b))
        })
    });
    let answer = call(&endpoint, &body_with(&[("a", done(1))])).await;
    assert_eq!((answer.ops().len(), &answer.json()[0]["data"]), (1, &json!(2)));
    assert_eq!(call_step(&endpoint, "b", &body_with(&[("a", done(1))])).await.json()[0]["data"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_a_running_step_fails_the_attempt_instead_of_losing_the_step() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let slow = step.run("slow", async || {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<u8, Error>(1)
            });
            let done = tokio::time::timeout(Duration::from_secs(1), slow).await;
            Ok(json!(done.is_ok()))
        })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!(answer.ops(), [("StepError".into(), "slow".into())]);
    assert!(
        answer.json()[0]["error"]["message"].as_str().unwrap().contains("timeout inside the step")
    );
}

#[tokio::test]
async fn a_thousand_parallel_steps_fan_out_and_in() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let all = (0..1000).map(|n| step.run("item", async move || Ok::<u32, Error>(n)));
            let all = futures_util::future::try_join_all(all).await?;
            Ok(json!(all.iter().sum::<u32>()))
        })
    });
    assert_eq!(call(&endpoint, &body()).await.ops().len(), 1000);
    let ids: Vec<_> =
        (0..1000).map(|n| if n == 0 { "item".to_owned() } else { format!("item:{n}") }).collect();
    let memo: Vec<_> = ids.iter().rev().map(|id| (id.as_str(), done(1))).collect();
    assert_eq!(call(&endpoint, &body_with(&memo)).await.text, "1000");
}

#[tokio::test]
async fn unusable_steps_are_refused_before_the_server_hangs_on_them() {
    let empty = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.run("", async || Ok(json!(1))).await?) })
    });
    let long = serving(dev(), |step, _| {
        Box::pin(async move {
            step.sleep("age", Duration::from_secs(400 * 86_400)).await;
            Ok(Value::Null)
        })
    });
    for (endpoint, words) in
        [(empty, "empty id"), (long, "`age` cannot be sent to the server: its sleep is 400 days")]
    {
        let answer = call(&endpoint, &body()).await;
        assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
        assert!(answer.json()["message"].as_str().unwrap().contains(words), "{}", answer.text);
    }
}
