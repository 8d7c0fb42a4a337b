//! Floor 2: the clouds, each in a folder of its own. Nothing above this floor knows a cloud by name.

pub mod alibaba;
