//! Time zones natively: the IANA database inside the program, so that every machine agrees.

use crate::domain::time::Millis;
use crate::domain::zone::Zone;
use crate::ports::zone::Zones;
use jiff::tz::TimeZoneDatabase;

/// The database that the program was built with.
#[derive(Clone, Copy, Debug)]
pub struct BundledZones;

impl Zones for BundledZones {
    fn find(&self, name: &str) -> Option<Zone> {
        if !Zone::may_be_name(name) {
            return None;
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        let known_as = zone.iana_name().unwrap_or(name).to_owned();
        Some(Zone::new(known_as, move |at| {
            let offset = jiff::Timestamp::from_millisecond(at.0).map(|at| zone.to_offset(at).seconds());
            Millis(offset.map_or(0, |seconds| i64::from(seconds) * 1_000))
        }))
    }
}
