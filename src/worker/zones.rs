//! Time zones as the Workers runtime knows them.

use crate::domain::time::{Millis, Timestamp};
use crate::domain::zone::Zone;
use crate::ports::zone::Zones;
use chrono::NaiveDate;
use worker::js_sys::Intl::DateTimeFormat;
use worker::js_sys::{Array, Date, Function, Object, Reflect, global};
use worker::send::SendWrapper;
use worker::wasm_bindgen::{JsCast, JsValue};

/// The tables that the runtime has for `Intl`.
#[derive(Clone, Copy, Debug)]
pub struct IntlZones;

impl Zones for IntlZones {
    fn find(&self, name: &str) -> Option<Zone> {
        if !Zone::may_be_name(name) {
            return None;
        }
        let clock = SendWrapper::new(clock_of(name)?);
        // The runtime's own name may be an older one of the same place (`Asia/Calcutta`): that is not what was asked for.
        let own_name = Reflect::get(&clock.resolved_options(), &"timeZone".into())
            .ok()?
            .as_string();
        let own_name = own_name.filter(|own| own.eq_ignore_ascii_case(name));
        Some(Zone::new(own_name.unwrap_or_else(|| name.to_owned()), move |at| {
            offset(&clock, at)
        }))
    }
}

/// What shows that place's date and time; `None` where the runtime throws, because it knows no such place.
fn clock_of(name: &str) -> Option<DateTimeFormat> {
    let options = Object::new();
    let numeric = ["year", "month", "day", "hour", "minute", "second"].map(|part| (part, "numeric"));
    // Midnight is 0, not 24 (`hour12: false` makes it 24).
    let others = [("timeZone", name), ("hourCycle", "h23"), ("calendar", "gregory")];
    for (key, value) in numeric.into_iter().chain(others) {
        Reflect::set(&options, &key.into(), &value.into()).ok()?;
    }
    let intl = Reflect::get(&global(), &"Intl".into()).ok()?;
    let constructor: Function = Reflect::get(&intl, &"DateTimeFormat".into()).ok()?.dyn_into().ok()?;
    let arguments = Array::of2(&"en-US".into(), &options);
    let format = Reflect::construct(&constructor, &arguments).ok()?;
    Some(format.unchecked_into())
}

fn offset(clock: &DateTimeFormat, at: Timestamp) -> Millis {
    // Clocks show whole seconds.
    let second = at.0.div_euclid(1_000) * 1_000;
    #[expect(clippy::cast_precision_loss, reason = "instants in ms are below 2^53")]
    let date = Date::new(&JsValue::from_f64(second as f64));
    let mut shown = [0; 6];
    for part in clock.format_to_parts(&date).iter() {
        let text = |key: &str| Reflect::get(&part, &key.into()).ok()?.as_string();
        let place = match text("type").as_deref() {
            Some("year") => 0,
            Some("month") => 1,
            Some("day") => 2,
            Some("hour") => 3,
            Some("minute") => 4,
            Some("second") => 5,
            _ => continue,
        };
        shown[place] = text("value").and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    }
    let [year, month, day, hours, minutes, seconds] = shown;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).unwrap_or(0), month, day);
    let local = date.and_then(|date| date.and_hms_opt(hours, minutes, seconds));
    Millis(local.map_or(0, |local| local.and_utc().timestamp_millis() - second))
}
