//! The database goes to another place.

use super::alone;
use crate::world::{Begin as _, given, prometei_flow};

#[tokio::test]
async fn a_copy_knows_the_deals_of_the_original() {
    let world = given().without_erp().unserved().await;
    let from = world.variables["DATABASE_URL"].clone();
    let to = format!("sqlite://{}/copy.db", world.folder().display());
    let copy = ["db", "copy", "--from", &from, "--to", &to];
    assert_eq!(world.command(&["deals"]).await.code, Some(0), "it makes the database");
    let said = world.command(&copy).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.contains("\ndeals              0 rows\n"), "{}", said.out);
    assert!(said.out.contains("Next: set DATABASE_URL to the new database"), "{}", said.out);
    let deals = prometei_flow(world.folder(), &["deals"], [("DATABASE_URL", to.as_str())]).await;
    assert_eq!(deals.out, "every deal is done\n");
}

#[tokio::test]
async fn what_cannot_be_copied_is_named() {
    let nowhere = ["db", "copy", "--from", "sqlite://none.db", "--to", "sqlite://new.db"];
    let (said, folder) = alone(&nowhere, &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("the source: there is no database none.db"), "{}", said.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
