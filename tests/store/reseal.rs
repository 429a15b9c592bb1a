//! Sealing everything anew.

use crate::migrations::LEGACY;
use crate::setup::{Bed, NOW, import, user};
use psn::domain::id::DestinationId;
use psn::ports::memory::SeededEntropy;
use psn::store::Secret;
use psn::store::destinations::Destination;
use psn::store::reseal::{Pass, Table};
use psn::store::seal::{Form, Place, SealError, Sealer};

fn key(byte: u8) -> Secret {
    Secret::new(format!("{byte:02x}").repeat(32))
}

fn sealer(byte: u8) -> Sealer {
    Sealer::new(&key(byte)).unwrap()
}

/// Opens with the second, seals with the first.
fn both(new: u8, old: u8) -> Sealer {
    sealer(new).with_former_key(&key(old)).unwrap()
}

const API_KEY: Place<'static> = Place {
    user: "hub_1",
    platform: "brave",
    account: "00000000-0000-4000-8000-0000000000a1",
    field: "encrypted_value",
};

/// A key of a service, as the legacy program stores it.
async fn legacy_api_key(bed: &Bed, by: u8) {
    let sealed = sealer(by).with_form(Form::Legacy);
    let sealed = sealed.seal(&"s-1".into(), &API_KEY, &SeededEntropy::new(9)).unwrap();
    bed.owner(&format!(
        "insert into api_keys (id, user_id, service, key_name, encrypted_value) \
         values ('{}', 'hub_1', 'brave', 'brave', '{sealed}')",
        API_KEY.account
    ))
    .await;
}

pub async fn everything_is_sealed_anew(bed: Bed) {
    bed.owner(LEGACY).await;
    let store = bed.migrated().await;
    legacy_api_key(&bed, 1).await;
    let mut destination = Destination {
        id: DestinationId::from_random([7; 16]),
        user: user("ada"),
        kind: "ntfy".to_owned(),
        label: "telephone".to_owned(),
        sealed: Secret::new(""),
        enabled: true,
    };
    let sealed = sealer(1).seal(&"topic".into(), &destination.place(), &SeededEntropy::new(9));
    destination.sealed = Secret::new(sealed.unwrap());
    store.destination_put(&destination, NOW).await.unwrap();
    // More than one page, of several users.
    let mut ids = Vec::new();
    for n in 0..60 {
        let account = store
            .account_import(&import(["ada", "bob"][n % 2], &n.to_string()), &sealer(1))
            .await;
        ids.push(account.unwrap().id);
    }
    let updated_at = bed
        .owner("select max(updated_at), min(updated_at) from oauth_tokens")
        .await;
    let old = sealer(1).key_id().to_owned();
    let before = store.reseal(&both(2, 1), Pass::Count).await.unwrap();
    assert_eq!((before.outdated, before.resealed, before.stuck.len()), (122, 0, 0));
    assert!(before.holdings.iter().all(|holding| holding.key_id == old));

    let done = store.reseal(&both(2, 1), Pass::Reseal).await.unwrap();
    assert_eq!((done.outdated, done.resealed), (122, 122));
    let after = store.reseal(&sealer(2), Pass::Reseal).await.unwrap();
    assert_eq!((after.outdated, after.resealed, after.stuck.len()), (0, 0, 0));
    let counts: Vec<_> = after
        .holdings
        .iter()
        .map(|one| (one.table, one.form, one.values))
        .collect();
    assert_eq!(
        counts,
        [
            (Table::OauthTokens, Form::Psn1, 120),
            (Table::ApiKeys, Form::Psn1, 1),
            (Table::Destinations, Form::Psn1, 1)
        ]
    );
    let anew = store.destination_list(&user("ada")).await.unwrap().remove(0);
    assert_eq!(
        sealer(2).open(anew.sealed.expose(), &anew.place()).unwrap().expose(),
        "topic"
    );
    let row = store.token_read(&user("ada"), &ids[58]).await.unwrap().unwrap();
    assert_eq!(row.open_access(&sealer(2)).unwrap().expose(), "access-58");
    assert_eq!(row.open_refresh(&sealer(2)).unwrap().unwrap().expose(), "refresh-58");
    let sealed = bed.owner("select encrypted_value from api_keys").await;
    assert_eq!(sealer(2).open(&sealed, &API_KEY).unwrap().expose(), "s-1");
    assert_eq!(
        bed.owner("select max(updated_at), min(updated_at) from oauth_tokens")
            .await,
        updated_at
    );
}

/// With the form set to legacy the values stay readable for the legacy program, and change their key all the same.
pub async fn the_legacy_form_can_be_kept(bed: Bed) {
    let store = bed.migrated().await;
    legacy_api_key(&bed, 1).await;
    let done = store
        .reseal(&both(2, 1).with_form(Form::Legacy), Pass::Reseal)
        .await
        .unwrap();
    assert_eq!((done.outdated, done.resealed), (1, 1));
    let sealed = bed.owner("select encrypted_value from api_keys").await;
    assert_eq!(Form::of(&sealed), Form::Legacy);
    assert_eq!(sealer(2).open(&sealed, &API_KEY).unwrap().expose(), "s-1");
    let after = store
        .reseal(&both(2, 1).with_form(Form::Legacy), Pass::Reseal)
        .await
        .unwrap();
    assert_eq!((after.outdated, after.resealed), (0, 0));
}

/// What opens with no key is named and left as it is; the rest is done.
pub async fn what_does_not_open_is_named(bed: Bed) {
    let store = bed.migrated().await;
    let lost = store.account_import(&import("ada", "1"), &sealer(3)).await.unwrap();
    store.account_import(&import("ada", "2"), &sealer(1)).await.unwrap();
    let before = bed
        .owner(&format!("select * from oauth_tokens where id = '{}'", lost.id))
        .await;
    let census = store.reseal(&both(2, 1), Pass::Reseal).await.unwrap();
    assert_eq!((census.outdated, census.resealed, census.stuck.len()), (2, 2, 2));
    let stuck = &census.stuck[0];
    assert_eq!((stuck.id.as_str(), stuck.field), (lost.id.as_str(), "access_token"));
    assert_eq!(stuck.key_id.as_deref(), Some(sealer(3).key_id()));
    assert!(matches!(&stuck.why, SealError::OtherKey { expected, .. } if expected == sealer(3).key_id()));
    let after = bed
        .owner(&format!("select * from oauth_tokens where id = '{}'", lost.id))
        .await;
    assert_eq!(after, before);
}

/// Between reading a page and writing it somebody stores new tokens: theirs stay.
pub async fn a_writer_in_between_wins(bed: Bed) {
    let store = bed.migrated().await;
    let account = store.account_import(&import("ada", "1"), &sealer(1)).await.unwrap();
    let quiet = store.account_import(&import("ada", "2"), &sealer(1)).await.unwrap();
    for n in 0..8 {
        let (mine, other) = (bed.store(), bed.store());
        let mut renewed = import("ada", "1");
        renewed.access_token = Secret::new(format!("renewed-{n}"));
        let writer = if n % 2 == 0 { sealer(1) } else { both(2, 1) };
        let turner = both(2, 1);
        let (census, written) = tokio::join!(
            mine.reseal(&turner, Pass::Reseal),
            other.account_import(&renewed, &writer)
        );
        census.unwrap();
        written.unwrap();
        let row = store.token_read(&user("ada"), &account.id).await.unwrap().unwrap();
        assert_eq!(row.open_access(&both(2, 1)).unwrap().expose(), format!("renewed-{n}"));
    }
    store.reseal(&both(2, 1), Pass::Reseal).await.unwrap();
    for id in [&account.id, &quiet.id] {
        let row = store.token_read(&user("ada"), id).await.unwrap().unwrap();
        assert!(row.open_access(&sealer(2)).is_ok() && row.open_refresh(&sealer(2)).is_ok());
    }
}

/// A lost answer is no harm: what was written is not written again, nor over anybody.
pub async fn an_answer_lost_after_commit(bed: Bed) {
    use psn::dev::neon::{Action, Fault, When};
    let store = bed.migrated().await;
    let account = store.account_import(&import("ada", "1"), &sealer(1)).await.unwrap();
    bed.endpoint.set_faults(vec![Fault {
        when: When {
            nth: None,
            contains: Some("update oauth_tokens".to_owned()),
        },
        action: Action::CutAfter,
        times: 1,
    }]);
    store.reseal(&both(2, 1), Pass::Reseal).await.unwrap();
    let row = store.token_read(&user("ada"), &account.id).await.unwrap().unwrap();
    assert_eq!(row.open_access(&sealer(2)).unwrap().expose(), "access-1");
}
