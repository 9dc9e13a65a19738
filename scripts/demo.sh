#!/bin/sh
# Draws clips of people, turns them into M2M clips and says where to look. Nothing is downloaded.
set -eu
m2m=.venv/bin/m2m
if ! test -d demo/videos; then
  rm -rf demo/.part
  $m2m studio demo/.part --classes 6 --clips 1 >/dev/null
  mv demo/.part demo/videos
  echo 'six clips drawn in demo/videos'
fi
code=0
$m2m augment demo/videos demo/out --workers 2 || code=$?
case $code in 0 | 3) ;; *) exit "$code" ;; esac
printf '\nThe originals:  demo/videos\nThe M2M clips:  demo/out/videos\nThe report:     demo/out/report.html\n'
printf 'Your own:       make augment VIDEOS=<folder> OUT=<folder>\n'
