//! Values that texts of librdkafka must not show.

use std::sync::Arc;

/// Shorter values are not hidden, because they occur in ordinary words.
const BYTES_MIN: usize = 4;

/// The values of a connection's options that are free text: passwords, keys, names of users and clients. librdkafka repeats some of
/// them in errors and log lines.
#[derive(Clone, Debug, Default)]
pub struct HiddenValues(Values);

#[derive(Clone, Default)]
struct Values(Arc<[String]>);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

impl HiddenValues {
    pub(crate) fn new<'a>(values: impl Iterator<Item = &'a str>) -> HiddenValues {
        let long = |value: &&str| value.trim().len() >= BYTES_MIN;
        // Each line of a certificate or key is hidden too.
        let mut all: Vec<String> = values
            .flat_map(|value| std::iter::once(value).chain(value.lines()))
            .filter(long)
            .map(str::to_owned)
            .collect();
        // Longer values come first, because they may contain shorter ones.
        all.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
        all.dedup();
        HiddenValues(Values(all.into()))
    }

    /// Replaces each of the values with `…`.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in self.0.0.iter().filter(|value| !value.trim().is_empty()) {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), "…");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::KafkaConnection;

    #[test]
    fn values_of_options_are_not_shown() {
        let connection = KafkaConnection::new("b:9092")
            .with("client.id", "marker-client")
            .with("sasl.username", "marker")
            .with("sasl.password", "marker-client-2")
            .with("ssl.ca.pem", "-----BEGIN\nMIIBmarker\n-----END\n")
            .with("security.protocol", "sasl_ssl")
            .with("linger.ms", "5000");
        let hidden = connection.hidden();
        for (text, shown) in [
            ("marker-client-2 of marker-client: marker", "… of …: …"),
            ("at MIIBmarker", "at …"),
            ("sasl_ssl://b:9092 after 5000 ms", "sasl_ssl://b:9092 after 5000 ms"),
        ] {
            assert_eq!(hidden.hide(text), shown);
        }
        assert!(!format!("{connection:?}{hidden:?}").contains("marker"));
        assert!(!format!("{connection:?}").contains("5000"));
    }
}
