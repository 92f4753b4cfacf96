//! The device's state: partial updates, age, and its JSON.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::NOW_MS;
use whimbrel_policy::limits::READING_AGE_MS_MAX;
use whimbrel_policy::{Accelerator, DeviceState, DeviceUpdate, Network, Reading, Reported, Thermal};

fn update(json: Value) -> DeviceUpdate {
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_update_changes_what_it_names() {
    let mut state = DeviceState::default();
    state.apply(
        &update(json!({"battery_percent": 80, "thermal": "fair", "network": "metered"})),
        10,
    );
    state.apply(&update(json!({"battery_percent": 79, "thermal": null})), 20);
    let known = |value, at_ms| Reading::Known { value, at_ms };
    assert_eq!(state.battery_percent, known(79, 20));
    assert_eq!(state.thermal, Reading::Unknown);
    assert_eq!(
        state.network,
        Reading::Known {
            value: Network::Metered,
            at_ms: 10
        }
    );
    assert_eq!(state.charging, Reading::Unknown);
    // Not a percentage.
    state.apply(&update(json!({"battery_percent": 101, "loss_percent": 100})), 30);
    assert_eq!(
        (state.battery_percent, state.loss_percent),
        (Reading::Unknown, known(100, 30))
    );
}

#[test]
fn readings_of_what_changes_age() {
    let all = DeviceUpdate {
        battery_percent: 80.into(),
        charging: true.into(),
        battery_milliwatts: 9.into(),
        power_save: true.into(),
        thermal: Thermal::Fair.into(),
        memory_total_bytes: 8.into(),
        memory_available_bytes: 7.into(),
        memory_process_bytes: 6.into(),
        storage_free_bytes: 5.into(),
        network: Network::Roaming.into(),
        round_trip_ms: 4.into(),
        loss_percent: 3.into(),
        performance_cores: 2.into(),
        accelerators: vec![Accelerator::Npu].into(),
        foreground: false.into(),
    };
    let state = DeviceState::reported(&all, NOW_MS);
    let count = |now_ms| {
        let view = serde_json::to_value(state.view(now_ms)).unwrap();
        let known = view.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        known.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(count(NOW_MS).len(), 15);
    assert_eq!(count(NOW_MS + READING_AGE_MS_MAX).len(), 15);
    let stays = ["memory_total_bytes", "performance_cores", "accelerators"];
    assert_eq!(count(NOW_MS + READING_AGE_MS_MAX + 1), stays);
    assert_eq!(count(NOW_MS - READING_AGE_MS_MAX - 1), stays);
    assert_eq!(state.view(NOW_MS).memory_usable_bytes(), Some(6));
}

#[test]
fn the_json_is_what_apps_and_tools_read() {
    let mut state = DeviceState::default();
    state.apply(&update(json!({"battery_percent": 80, "accelerators": ["npu"]})), 10);
    let unknown = "\"unknown\"";
    assert_eq!(
        serde_json::to_string(&state).unwrap(),
        format!(
            "{{\"battery_percent\":{{\"value\":80,\"at_ms\":10}},\"charging\":{unknown},\"battery_milliwatts\":{unknown},\
             \"power_save\":{unknown},\"thermal\":{unknown},\"memory_total_bytes\":{unknown},\"memory_available_bytes\":{unknown},\"memory_process_bytes\":{unknown},\
             \"storage_free_bytes\":{unknown},\"network\":{unknown},\"round_trip_ms\":{unknown},\"loss_percent\":{unknown},\
             \"performance_cores\":{unknown},\"accelerators\":{{\"value\":[\"npu\"],\"at_ms\":10}},\"foreground\":{unknown}}}"
        )
    );
    let read: DeviceState = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
    assert_eq!(read, state);
    let partial: DeviceState = serde_json::from_value(json!({"network": {"value": "none", "at_ms": 1}})).unwrap();
    assert_eq!(partial.network.value(), Some(&Network::None));
    for wrong in [
        json!({"batery": "unknown"}),
        json!({"network": {"value": "5g", "at_ms": 1}}),
        json!({"network": {"value": "none", "at_ms": 1, "age": 2}}),
        json!({"network": "none"}),
    ] {
        assert!(serde_json::from_value::<DeviceState>(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(serde_json::from_value::<DeviceUpdate>(json!({"batery": 1})).is_err());

    let sent = DeviceUpdate {
        thermal: Reported::Unknown,
        network: Network::None.into(),
        ..DeviceUpdate::default()
    };
    assert_eq!(
        serde_json::to_value(&sent).unwrap(),
        json!({"thermal": null, "network": "none"})
    );
}
