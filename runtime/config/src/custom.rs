//! Sources and sinks that the embedding program brings.

use crate::kinds::Text;
use crate::options::Options;

keys! {
    /// A source or sink that the program registered.
    pub struct CustomKeys {
        /// The name under which the program registered the connector. The `weir` command registers none: see [embedding](../../docs/embedding.md).
        connector: Text, required "name a connector that the program registered, for example `connector = \"feed\"`";
        /// Options for the connector, by name. It receives integers, `true` and `false` as text.
        options: Options;
    }
}
