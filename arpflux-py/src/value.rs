//! Plain Python values out of whatever serde can write.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde::Serialize;
use serde_json::Value;

/// `value` as dict, list, str, int, float, bool and None: what `json.loads` would give.
pub fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let value = serde_json::to_value(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    convert(py, &value)
}

fn convert<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Number(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => value.into_bound_py_any(py),
            (None, Some(value)) => value.into_bound_py_any(py),
            _ => value.as_f64().into_bound_py_any(py),
        },
        Value::String(value) => value.into_bound_py_any(py),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(convert(py, value)?)?;
            }
            Ok(list.into_any())
        }
        Value::Object(values) => {
            let dict = PyDict::new(py);
            for (key, value) in values {
                dict.set_item(key, convert(py, value)?)?;
            }
            Ok(dict.into_any())
        }
    }
}

/// The one-line JSON of a value: what its hash and its pickle are made of.
pub fn to_json(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The value that a JSON text holds.
pub fn parse<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
    convert(py, &value)
}

/// The hash of a value's JSON form.
pub fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// An IPv4 address argument: `ipaddress.IPv4Address` or its text.
pub struct Ipv4(pub Ipv4Addr);

impl<'py> FromPyObject<'_, 'py> for Ipv4 {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text: String = object.str()?.extract()?;
        text.parse().map(Self).map_err(|_| PyValueError::new_err(format!("{text:?} is not an IPv4 address")))
    }
}

/// A time argument: `datetime.timedelta`, or a number of seconds.
pub struct Seconds(pub Duration);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let seconds: f64 = match object.getattr("total_seconds") {
            Ok(total) => total.call0()?.extract()?,
            Err(_) => object.extract()?,
        };
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|error| PyValueError::new_err(format!("{seconds} s is not a time to wait: {error}")))
    }
}
