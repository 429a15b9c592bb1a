//! The embedded server and the endpoint that speaks Neon's SQL over HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use psn::dev::postgres::{DATABASE, Postgres, PostgresOptions, Version, package_dir};

fn package() -> PathBuf {
    package_dir(Path::new(env!("CARGO_MANIFEST_DIR")), Version::V15).unwrap()
}

#[tokio::test]
async fn server_keeps_its_data_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("state/postgres");
    let options = PostgresOptions::lasting(package(), data);
    let first = Postgres::start(options.clone()).await.unwrap();
    first
        .owner_script(DATABASE, "create table t(a int); insert into t values (7)")
        .await
        .unwrap();
    let string = first.connection_string(DATABASE);
    assert!(
        string.contains("psn_owner:") && string.contains("@ep-local-1.localhost:"),
        "{string}"
    );
    first.stop().await.unwrap();
    let second = Postgres::start(options).await.unwrap();
    let rows = second
        .owner_script(DATABASE, "select a, current_setting('is_superuser') from t")
        .await
        .unwrap();
    assert_eq!(rows, [[Some("7".to_owned()), Some("off".to_owned())]]);
    let copy = {
        second.create_database("copy_1", Some(DATABASE)).await.unwrap();
        second.owner_script("copy_1", "select a from t").await.unwrap()
    };
    assert_eq!(copy, [[Some("7".to_owned())]]);
}
