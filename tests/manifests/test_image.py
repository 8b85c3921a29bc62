"""The image is built from hashed requirements, runs as nobody in particular, and takes in nothing that it need not."""

from rendered import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text()
FINAL = CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]


def test_every_installation_is_by_hash_or_our_own_package():
    installs = [part for part in CONTAINERFILE.replace("\\\n", " ").split("RUN ") if "pip install" in part]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-deps --target /app ." in install


def test_the_final_stage_installs_nothing_and_runs_as_65532():
    assert "RUN " not in FINAL
    assert "USER 65532:65532" in FINAL
    assert 'ENTRYPOINT ["functions-framework"]' in FINAL


def test_the_build_backend_and_all_that_it_needs_are_among_the_hashed_requirements():
    pattern = CONTAINERFILE.split("/^(", 1)[1].split(")==/", 1)[0]
    locked = {line.split("==")[0] for line in (ROOT / "requirements/all.txt").read_text().splitlines() if "==" in line}
    assert set(pattern.split("|")) <= locked


def test_the_build_context_is_a_list_of_what_is_needed():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    copied = {
        line.split()[1] for line in CONTAINERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line
    }
    copied |= {"README.md"}
    assert {line[1:] for line in lines if line[0] == "!"} == copied
