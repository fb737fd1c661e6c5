#!/bin/sh
# Makes a Postgres image of Debian packages, where no registry can be reached: `make.sh ENTRYPOINT WORKDIR [NAME:TAG
# [MAJOR]]`; without, rehearse-postgres:MAJOR of Debian's own version.
# Nothing is installed here; apt downloads, and the packages are unpacked. No script of theirs is run.
set -eu
entrypoint=$1
mkdir -p "$2/debs"
cd "$2"
work=$(pwd)
major=${4:-$(apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)}
image=${3:-rehearse-postgres:$major}
server=postgresql-$major

# All that the server needs on a machine that has nothing. Its just-in-time compiler is half of it, and off in rehearsals.
: > nothing
apt-get install --print-uris -qq -y --no-install-recommends -o Dir::State::status="$work/nothing" \
    "$server" bash coreutils dash grep libc-bin sed util-linux > uris
cut -d ' ' -f 2 uris | sed 's/_.*//' | grep -v -e '^perl' -e '^libperl' -e '^libllvm' -e '^libz3' > names

(cd debs && xargs apt-get download -qq -o APT::Sandbox::User="$(id -un)" < ../names)

rm -rf root && mkdir -p root/usr/bin root/usr/sbin root/usr/lib root/usr/lib64 root/etc root/tmp root/run root/var/lib/postgresql
(cd root && ln -s usr/bin bin && ln -s usr/sbin sbin && ln -s usr/lib lib && ln -s usr/lib64 lib64)
while read -r name; do
    for deb in debs/"$name"_*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C root
    done
done < names
ln -sf dash root/usr/bin/sh
chmod 1777 root/tmp
mkdir -p root/docker-entrypoint-initdb.d
printf 'root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' > root/etc/passwd
printf 'root:x:0:\npostgres:x:999:\n' > root/etc/group
cp "$entrypoint" root/usr/bin/docker-entrypoint.sh
chmod 755 root/usr/bin/docker-entrypoint.sh

tar -c --owner=0 --group=0 -C root . | docker import \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' --change 'EXPOSE 5432' \
    --change 'ENV PGDATA=/var/lib/postgresql/data' --change "ENV PG_MAJOR=$major" \
    --change "ENV PATH=/usr/lib/postgresql/$major/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    - "$image"
rm -rf root
echo "use it: rehearse run --pg docker --pg-image $image"
