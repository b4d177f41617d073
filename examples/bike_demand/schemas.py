"""What the hourly features must look like."""

import pandera.polars as pa  # noqa: TID253 - imported only when the check runs


class HourlyFeatures(pa.DataFrameModel):  # type: ignore[misc]
    """One row an hour: calendar and weather, weather normalised to 0..1."""

    hr: int = pa.Field(ge=0, le=23)
    holiday: int = pa.Field(isin=[0, 1])
    weekday: int = pa.Field(ge=0, le=6)
    workingday: int = pa.Field(isin=[0, 1])
    weathersit: int = pa.Field(ge=1, le=4)
    temp: float = pa.Field(ge=0, le=1)
    atemp: float = pa.Field(ge=0, le=1)
    hum: float = pa.Field(ge=0, le=1)
    windspeed: float = pa.Field(ge=0, le=1)
