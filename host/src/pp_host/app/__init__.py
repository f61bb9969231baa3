"""The join: the only room that knows both towers. It builds every concrete thing once and hands it over."""
