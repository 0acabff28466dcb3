//! What `OpenTelemetry` exports of a run, by the example that prints it.

#[path = "../../examples/trace.rs"]
#[expect(dead_code, reason = "the example's `main` prints what is looked at here")]
mod example;

#[tokio::test]
async fn a_run_is_one_trace_with_its_steps_in_their_calls() {
    let trace = example::traced().await.unwrap();
    let servers: Vec<_> = trace.lines().filter_map(|line| line.strip_prefix("trace ")).collect();
    // The test kit names the server's spans by the run, and by the number of the call.
    assert!(servers.iter().all(|server| server.starts_with("7cab56b656efe0499d7259b0a58980b1 ")));
    assert_eq!(servers[0], "7cab56b656efe0499d7259b0a58980b1 span 91bb4fd381838a4e");
    let spans: Vec<_> = trace.lines().filter(|line| !line.starts_with("trace ")).collect();
    assert_eq!(
        spans,
        [
            "  order",
            "  order",
            "    reserve completed",
            "  order",
            "  order",
            "    charge completed",
            "      POST /charges",
            "  order",
            "  order",
            "    mail failed error: no mail server",
            "  order error: no mail server",
        ]
    );
}
