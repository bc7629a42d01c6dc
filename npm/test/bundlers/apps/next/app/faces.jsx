'use client';

import { Mien } from 'mien-faces';
import { useEffect, useState } from 'react';

export function Faces({ photo }) {
  const [faces, setFaces] = useState([]);

  useEffect(() => {
    const ending = new AbortController();
    const look = async () => {
      const mien = await Mien.load({ engine: 'cpu', signal: ending.signal });
      const response = await fetch(photo);
      const { faces } = await mien.estimate(await response.blob());
      setFaces(faces);
      return { faces, sealed: await mien.isSealed() };
    };
    window.outcome = look();
    return () => ending.abort();
  }, [photo]);

  return <p id="faces">{faces.map(({ age }) => age.toFixed(0)).join(', ')}</p>;
}
