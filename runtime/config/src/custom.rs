//! Sources and sinks that the embedding program brings.

use crate::kafka::Options;
use crate::kinds::Text;

keys! {
    /// A source or sink that the program registered.
    pub struct CustomKeys {
        /// The name that the program registered it under. The `weir` command registers none: see [embedding](../../docs/embedding.md).
        connector: Text, required "name what the program registered, for example `connector = \"feed\"`";
        /// What its connector takes: texts by name, integers and `true` or `false` as text.
        options: Options;
    }
}
