//! What Prometheus's own tool says. `.ci/deploy` runs these where it can be installed.

use std::process::{Command, Stdio};

use std::io::Write as _;

use super::{busy, dashboard, path};

/// Runs `promtool` in `deploy/prometheus`, with this on its standard input.
fn promtool(arguments: &[&str], input: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(arguments).current_dir(path("deploy/prometheus"));
    let pipes = promtool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = pipes.spawn().unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = running.wait_with_output().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}

#[tokio::test]
#[ignore = "needs promtool, of Debian's package prometheus: .ci/deploy installs it"]
async fn the_metrics_follow_the_rules_of_prometheus() {
    let metrics = busy().await.admin_page("/metrics").await.text;
    promtool(&["check", "metrics"], &metrics);
}

#[test]
#[ignore = "needs promtool, of Debian's package prometheus: .ci/deploy installs it"]
fn the_alerts_pass_their_tests() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts_test.yml"], "");
}

#[test]
#[ignore = "needs promtool, of Debian's package prometheus: .ci/deploy installs it"]
fn the_queries_of_the_dashboard_can_be_read() {
    let queries = dashboard().into_iter();
    let rules = queries.enumerate().map(|(index, query)| {
        let query = query.replace("$__rate_interval", "5m").replace('\'', "''");
        format!("  - {{ record: 'query:{index}', expr: '{query}' }}\n")
    });
    let rules = format!("groups:\n- name: dashboard\n  rules:\n{}", rules.collect::<String>());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()], "");
}
