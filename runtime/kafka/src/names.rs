//! Checks names of topics and groups.

/// The maximum length that Kafka's own tools accept for a group.
const GROUP_BYTES_MAX: usize = 255;

/// Why Kafka would refuse the name of a topic; `None` for valid names.
pub fn refuse_topic(topic: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match topic {
        "" => Some("must not be empty"),
        "." | ".." => Some("must not be `.` or `..`"),
        _ if topic.len() > 249 => Some("must not be longer than 249 bytes"),
        _ if !topic.bytes().all(legal) => Some("may contain only letters, digits, `.`, `_` and `-`"),
        _ => None,
    }
}

/// Why Kafka would refuse the name of a group; `None` for valid names.
pub fn refuse_group(group: &str) -> Option<&'static str> {
    match group {
        "" => Some("must not be empty"),
        _ if group.len() > GROUP_BYTES_MAX => Some("must not be longer than 255 bytes"),
        _ if group.chars().any(char::is_control) => Some("must not contain control characters"),
        _ => None,
    }
}
