"""Kills, power cuts and failing disks under load; the recorded history is judged by a checker."""
