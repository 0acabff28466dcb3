//! `dev`: the service with all that it needs, some of it fake.

use std::process::Stdio;

use sandbox::free_address;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::{DEADLINE, NOWHERE};

/// `dev` in an empty folder, with these variables and free ports, once it has said what to type.
async fn dev(variables: &[(&str, &str)]) -> (String, TempDir, Child) {
    let folder = tempfile::tempdir().unwrap();
    let [public, admin, inngest] =
        [free_address().await, free_address().await, free_address().await].map(Result::unwrap);
    let mut child = Command::new(env!("CARGO_BIN_EXE_prometei-flow"))
        .args(["dev", "--dev-server-port", &inngest.port().to_string()])
        .env_clear()
        .envs(variables.iter().copied())
        .env("PORT", public.port().to_string())
        .env("ADMIN_ADDR", admin.to_string())
        .env("RUST_LOG", "error")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains("Ctrl-C stops.") {
        let line = timeout(DEADLINE, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("dev says no more than: {said}")).unwrap();
        said += &line.unwrap_or_else(|| panic!("dev has ended: {said}"));
        said.push('\n');
    }
    (said, folder, child)
}

/// The databases in the folder.
fn databases(folder: &TempDir) -> Vec<String> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".db")).collect()
}

#[tokio::test]
async fn a_deal_that_a_fake_erp_has_is_not_done_in_the_database_of_the_service() {
    let (said, folder, _dev) = dev(&[]).await;
    assert!(said.contains("a database of its own: DATABASE_URL=sqlite://prometei-flow-dev.db"));
    assert_eq!(databases(&folder), ["prometei-flow-dev.db"]);

    let (said, folder, _dev) = dev(&[("DATABASE_URL", "sqlite://chosen.db")]).await;
    assert!(!said.contains("DATABASE_URL"), "{said}");
    assert_eq!(databases(&folder), ["chosen.db"]);
}

#[tokio::test]
async fn with_a_real_erp_the_database_is_that_of_the_service() {
    let erp = [
        ("CRM_API_URL", NOWHERE),
        ("CRM_API_KEY", "key"),
        ("CRM_API_USERNAME", "user"),
        ("CRM_API_PASSWORD", "password"),
    ];
    let (said, folder, _dev) = dev(&erp).await;
    assert!(!said.contains("a fake ERP") && !said.contains("DATABASE_URL"), "{said}");
    assert_eq!(databases(&folder), ["prometei-flow.db"]);
}
