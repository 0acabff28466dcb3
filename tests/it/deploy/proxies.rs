//! The examples of proxies, with the real programs. `.ci/deploy` runs these where they can be installed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use sandbox::{bodies, free_address};

use super::read;
use crate::world::{Answer, Begin as _, World, eventually, given};
use inngest::signing::SigningKey;

/// A proxy that is running, and what it has logged.
struct Proxy {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `text` with each of these replaced, where it stands.
fn with(mut text: String, changes: &[(&str, &str)]) -> String {
    for (old, new) in changes {
        assert!(text.contains(old), "{old} is not in {text}");
        text = text.replace(old, new);
    }
    text
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Proxy {
    async fn begin(mut command: Command, url: String, folder: tempfile::TempDir) -> Self {
        let log = fs::File::create(folder.path().join("stderr.log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let proxy = Self { child, url, folder };
        eventually("the proxy listens", async || {
            proxy.client().get(format!("{}/healthz", proxy.url)).send().await.ok()
        })
        .await;
        proxy
    }

    async fn nginx(world: &World) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().await.unwrap());
        let address = address.to_string();
        let place = folder.path().to_str().unwrap().to_owned();
        run(Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=deals.example.org",
            ])
            .args(["-keyout", &format!("{place}/key"), "-out", &format!("{place}/certificate")]));
        let site = with(
            read("deploy/nginx/prometei-flow.conf"),
            &[
                ("listen 443 ssl", &format!("listen {address} ssl")),
                ("/etc/ssl/deals.example.org.crt", &format!("{place}/certificate")),
                ("/etc/ssl/private/deals.example.org.key", &format!("{place}/key")),
                ("/var/log/nginx", &place),
                ("127.0.0.1:3000", &world.replicas[0].address.to_string()),
            ],
        );
        fs::write(folder.path().join("site.conf"), site).unwrap();
        let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {place}/{kind};"))
            .join(" ");
        let main = format!(
            "{user} daemon off; pid {place}/pid; error_log stderr; events {{}} http {{ {temporary} include {place}/site.conf; }}"
        );
        fs::write(folder.path().join("nginx.conf"), main).unwrap();
        let command = || {
            let mut nginx = Command::new("/usr/sbin/nginx");
            nginx.args(["-p", &place, "-c", &format!("{place}/nginx.conf")]);
            nginx
        };
        run(command().arg("-t"));
        Self::begin(command(), format!("https://{address}"), folder).await
    }

    async fn caddy(world: &World) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().await.unwrap());
        let url = format!("http://{address}");
        // No port of its own for administration: tests run side by side.
        let site = with(read("deploy/caddy/Caddyfile"), &[("\n{\n", "\n{\n\tadmin off\n")]);
        let file = folder.path().join("Caddyfile");
        fs::write(&file, site).unwrap();
        let mut caddy = Command::new("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        caddy.env("SITE", &url).env("UPSTREAM", world.replicas[0].address.to_string());
        caddy.env("HOME", folder.path()).env_remove("XDG_DATA_HOME");
        Self::begin(caddy, url, folder).await
    }

    fn client(&self) -> reqwest::Client {
        // The certificate is of this test.
        reqwest::Client::builder().danger_accept_invalid_certs(true).no_proxy().build().unwrap()
    }

    async fn answers(&self, method: Method, path: &str, body: &str) -> u16 {
        let request = self.client().request(method, format!("{}{path}", self.url));
        Answer::to(request.body(body.to_owned())).await.status
    }

    /// All that it has written.
    fn logs(&self) -> String {
        logs(self.folder.path())
    }
}

fn logs(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|file| file.extension().is_some_and(|end| end == "log"));
    logs.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// A world whose calls are signed, and what stands before it.
async fn is_left_intact_by(begin: impl AsyncFn(&World) -> Proxy) {
    let world = given().signed().lead(1, "Lead", 100).in_process().await;
    let proxy = begin(&world).await;
    let key = SigningKey::new(&world.variables["INNGEST_SIGNING_KEY"]);
    let secret = world.variables["AMOCRM_WEBHOOK_SECRET"].clone();

    // A call as large as a run with much state, with bytes that a proxy might like to change.
    let odd = "%2F+&amp; \\u00e9\\ud83d\\ude00 ".repeat(400_000);
    let body = format!(
        "{{\"ctx\":{{\"run_id\":\"01RUN\",\"attempt\":0,\"disable_immediate_execution\":false}},\"steps\":{{}},\
         \"event\":{{\"name\":\"amocrm/webhook\",\"data\":{{\"leadId\":1,\"note\":\"{odd}\"}}}}}}"
    );
    assert!(body.len() > 8 * 1024 * 1024);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    for path in ["/api/inngest", "/api/inngest/"] {
        let url = format!("{}{path}?fnId=prometei-flow-amocrm-webhook&stepId=step", proxy.url);
        let call =
            proxy.client().post(url).header("x-inngest-signature", key.sign(body.as_bytes(), now));
        let answer = call.body(body.clone()).send().await.unwrap();
        let (status, signature) =
            (answer.status(), answer.headers()["x-inngest-signature"].clone());
        let answer = answer.bytes().await.unwrap();
        assert_eq!(status, 206, "{}", String::from_utf8_lossy(&answer));
        let signed = signature.to_str().unwrap();
        let at = signed.split("t=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        assert_eq!(key.sign(&answer, at), signed, "the answer is as it was signed");
    }

    let webhook = format!("/api/amocrm-webhook?secret={secret}");
    assert_eq!(proxy.answers(Method::POST, &webhook, bodies::ORIGINAL).await, 200);
    assert_eq!(proxy.answers(Method::POST, "/api/amocrm-webhook", bodies::ORIGINAL).await, 401);
    let largest = format!("{}&note={}", bodies::ORIGINAL, "x".repeat(4 * 1024 * 1024 - 8192));
    assert_eq!(proxy.answers(Method::POST, &webhook, &largest).await, 200);
    assert_eq!(proxy.answers(Method::GET, "/healthz", "").await, 200);
    for of_operators in ["/", "/metrics", "/readyz", "/act", "/api/inngest/../../metrics"] {
        assert_eq!(proxy.answers(Method::GET, of_operators, "").await, 404, "{of_operators}");
    }

    world.end().await;
    assert_eq!(proxy.answers(Method::POST, &webhook, bodies::ORIGINAL).await, 502);
    let logged = eventually("the requests are logged", async || {
        let logs = proxy.logs();
        (logs.matches("/api/amocrm-webhook").count() >= 4).then_some(logs)
    })
    .await;
    let line = logged.lines().find(|line| line.contains(&secret));
    assert!(line.is_none(), "{}", line.unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx: .ci/deploy installs it"]
async fn nginx_leaves_calls_and_webhooks_intact() {
    is_left_intact_by(Proxy::nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs caddy: .ci/deploy installs it"]
async fn caddy_leaves_calls_and_webhooks_intact() {
    is_left_intact_by(Proxy::caddy).await;
}
