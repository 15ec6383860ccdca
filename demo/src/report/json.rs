//! One JSON object. Keys are those of `RunResult`; money is USD, rounded to the cent.

use serde_json::Value;

use crate::result::RunResult;

/// Series longer than this are thinned; the extremes of the run are figures of their own.
pub const MAX_SAMPLES: usize = 240;

/// The result on one line. All series, and `times` with them, are thinned alike.
pub fn render(run: &RunResult) -> anyhow::Result<String> {
    let keep = kept(run.times.len());
    let mut value = serde_json::to_value(run)?;
    tidy(&mut value, run.times.len(), &keep);
    Ok(serde_json::to_string(&value)?)
}

/// Which samples stay: evenly spread, first and last among them.
fn kept(samples: usize) -> Vec<usize> {
    if samples <= MAX_SAMPLES {
        return (0..samples).collect();
    }
    (0..MAX_SAMPLES)
        .map(|i| i * (samples - 1) / (MAX_SAMPLES - 1))
        .collect()
}

fn tidy(value: &mut Value, samples: usize, keep: &[usize]) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map(|x| (x * 1e4).round() / 1e4);
            if let Some(n) = rounded.and_then(serde_json::Number::from_f64) {
                *number = n;
            }
        }
        Value::Array(items) => {
            let series = items.len() == samples && items.iter().all(Value::is_number);
            if series {
                *items = keep.iter().map(|&i| items[i].clone()).collect();
            }
            items.iter_mut().for_each(|item| tidy(item, samples, keep));
        }
        Value::Object(map) => map.values_mut().for_each(|item| tidy(item, samples, keep)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_object_has_the_promised_keys() {
        let value: Value = serde_json::from_str(&render(&sample::run()).unwrap()).unwrap();

        for trader in value["traders"]
            .as_array()
            .unwrap()
            .iter()
            .chain(value["isolated_twins"].as_array().unwrap())
        {
            assert!(trader["name"].is_string());
            assert!(trader["final_equity"].is_f64());
            assert!(trader["liquidations"].is_u64());
        }
        assert_eq!(value["traders"].as_array().unwrap().len(), 5);
        assert!(value["saved"]["liquidations"].is_i64());
        assert!(value["saved"]["usd"].is_f64());
        assert!(value["compute_units"]["open_position"]["median"].is_u64());
        assert!(value["conservation"]["checked"].is_u64());
        assert!(value["conservation"]["failed"].is_u64());
        assert!(value["seconds"].is_f64());
    }

    #[test]
    fn it_is_one_line() {
        assert!(!render(&sample::run()).unwrap().contains('\n'));
    }

    #[test]
    fn long_series_are_thinned_alike_with_both_ends() {
        let run = sample::run();
        let value: Value = serde_json::from_str(&render(&run).unwrap()).unwrap();
        let times = value["times"].as_array().unwrap();

        assert!(run.times.len() > MAX_SAMPLES);
        assert_eq!(times.len(), MAX_SAMPLES);
        assert_eq!(times.last().unwrap().as_i64(), run.times.last().copied());
        assert_eq!(
            value["traders"][0]["series"]["equity"]
                .as_array()
                .unwrap()
                .len(),
            MAX_SAMPLES
        );
        assert_eq!(
            value["pool"]["share_price"].as_array().unwrap().len(),
            MAX_SAMPLES
        );
    }

    #[test]
    fn a_short_run_is_left_whole_and_can_be_read_back() {
        let mut run = sample::run_of(60);
        run.traders.truncate(1);
        let back: RunResult = serde_json::from_str(&render(&run).unwrap()).unwrap();

        assert_eq!(back.times, run.times);
        assert_eq!(back.traders[0].name, run.traders[0].name);
    }
}
